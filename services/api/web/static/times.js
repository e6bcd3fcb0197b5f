// Times in the visitor's time zone and language, also on parts of a page that are added later. UTC stays in the title.

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
const FORMATS = Object.fromEntries(Object.entries(SHAPES).map(([name, shape]) => [name, new Intl.DateTimeFormat(language, shape)]));
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function localTimes(within) {
  for (const element of within.querySelectorAll("time[data-shape]")) {
    const text = FORMATS[element.dataset.shape].format(new Date(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}

// Today in the visitor's time zone, as the value of a date field.
export const today = () => new Date().toLocaleDateString("sv");

const addsElement = ({ addedNodes }) => [...addedNodes].some((node) => node.nodeType === Node.ELEMENT_NODE);
new MutationObserver((changes) => changes.some(addsElement) && localTimes(document)).observe(document.body, { childList: true, subtree: true });
localTimes(document);
