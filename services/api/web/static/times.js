// Moments in the visitor's own time zone and language, also on parts of a page that come later. UTC stays in the title.

import { language } from "./words.js";

/** @type {Intl.DateTimeFormatOptions} */
const DAY = { dateStyle: "medium" };
/** @type {Intl.DateTimeFormatOptions} */
const H24 = { hourCycle: "h23" };
/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const SHAPES = {
  minute: { ...DAY, ...H24, timeStyle: "short" },
  second: { ...DAY, ...H24, timeStyle: "medium" },
  day: DAY,
  clock: { ...H24, hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
const SAID = Object.fromEntries(Object.entries(SHAPES).map(([name, shape]) => [name, new Intl.DateTimeFormat(language, shape)]));
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function localTimes(within) {
  for (const each of within.querySelectorAll("time[data-shape]")) {
    const said = SAID[each.dataset.shape].format(new Date(each.dateTime));
    if (each.textContent !== said) each.textContent = said;
  }
}

// The visitor's day today, as a date field has it.
export const today = () => new Date().toLocaleDateString("sv");

const come = ({ addedNodes }) => [...addedNodes].some((node) => node.nodeType === Node.ELEMENT_NODE);
new MutationObserver((changes) => changes.some(come) && localTimes(document)).observe(document.body, { childList: true, subtree: true });
localTimes(document);
