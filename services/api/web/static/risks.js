// Risks as whole per cent, by the rule of `risk_percent` in services/api/reports/sentences.py.

import { t } from "./words.js";

// The limits of the bands of SERA's rules (shared/guidelines/bands.py), in per cent.
const BELOW = [2, 3, 5, 10], UP_TO = [10, 20, 40, 50];
const LEAST_SHOWN = 0.005, MAX_DIGITS = 6;

const sides = (percent) => [...BELOW.map((limit) => percent < limit), ...UP_TO.map((limit) => percent <= limit)].join();

/** @param {number} risk  0 to 1 */
export function riskPercent(risk) {
  if (risk > 0 && risk < LEAST_SHOWN) return t("common.percent", { value: "<1" });
  if (risk < 1 && risk > 1 - LEAST_SHOWN) return t("common.percent", { value: ">99" });
  let shown = "";
  for (let digits = 0; digits < MAX_DIGITS; digits += 1) {
    shown = (100 * risk).toFixed(digits);
    if (sides(Number(shown)) === sides(100 * risk)) break;
  }
  return t("common.percent", { value: shown });
}
