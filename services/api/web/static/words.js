// The words of this page in its language, as the server put them into it.

const SAID = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
export const language = document.documentElement.lang;

// The sentence of a key with its {fields} filled; a key that is not on the page is an error of ours.
export function t(key, fields = {}) {
  if (!(key in SAID)) throw new Error(`no words for ${key}`);
  return SAID[key].replace(/\{(\w+)\}/g, (whole, name) => (name in fields ? fields[name] : whole));
}

export const has = (key) => key in SAID;
