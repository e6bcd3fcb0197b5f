// The texts of this page in its language, which the server embeds in the page.

const TEXTS = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
export const language = document.documentElement.lang;

// The text of a key with its {fields} filled. A key that is not on the page is a bug.
export function t(key, fields = {}) {
  if (!(key in TEXTS)) throw new Error(`no words for ${key}`);
  return TEXTS[key].replace(/\{(\w+)\}/g, (field, name) => (name in fields ? fields[name] : field));
}

export const has = (key) => key in TEXTS;
