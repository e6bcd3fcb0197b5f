// The keys of the viewer: a hint for screen readers, and a list behind a button.

import { make } from "./elements.js";
import { t } from "./words.js";

let built = 0;

/** @param {string[]} tools @param {boolean} hasOutlines @param {boolean} hasMap */
export function keyHelp(tools, hasOutlines, hasMap) {
  built += 1;
  const hint = make("p", { id: `viewer-hint-${built}`, className: "visually-hidden", textContent: t("viewer.keys.hint") });
  const rows = [...tools, "zoom", "fit", "greys", ...(hasOutlines ? ["outlines"] : []), ...(hasMap ? ["map"] : []), "undo", "remove", "frames"];
  const list = make("dl", {}, ...rows.flatMap((name) => [make("dt", { textContent: t(`viewer.keys.${name}`) }), make("dd", { textContent: t(`viewer.keys_do.${name}`) })]));
  const popover = make("div", { className: "viewer-help", popover: "auto", role: "dialog", "aria-label": t("viewer.keys.title") }, make("h2", { textContent: t("viewer.keys.title") }), list);
  const button = make("button", { type: "button", className: "viewer-keys", title: t("viewer.keys.title"), "aria-label": t("viewer.keys.title"), tabIndex: -1, textContent: "?" });
  button.popoverTargetElement = popover;
  return { hint, popover, button };
}
