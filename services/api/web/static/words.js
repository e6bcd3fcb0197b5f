// The texts of this page in its language, which the server embeds in the page.

const TEXTS = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
export const language = document.documentElement.lang;

// The text of a key with its {fields} filled. A key that is not on the page is a bug. Numbers may have a format of Python's: {size:.1f}, {depth:.3g}, {per_cent:g}.
export function t(key, fields = {}) {
  if (!(key in TEXTS)) throw new Error(`no words for ${key}`);
  return TEXTS[key].replace(/\{(\w+)(?::(?:\.(\d+))?([fg]))?\}/g, (field, name, digits, kind) => (name in fields ? formatted(fields[name], digits, kind) : field));
}

function formatted(value, digits, kind) {
  if (!kind) return value;
  return kind === "f" ? value.toFixed(digits ?? 6) : String(Number(value.toPrecision(digits ?? 6)));
}

// A warning of a result or an image in the page's language; the server's English sentence where there are no words for its code.
export function sentence({ code, message, facts }) {
  const key = `result.warning.${code}`;
  return key in TEXTS ? t(key, facts) : message;
}
