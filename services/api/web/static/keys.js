// Keys as shortcuts, whatever the keyboard's language.

// The letter of the key's position if a Korean keyboard gives a syllable; other keys by their name.
/** @param {KeyboardEvent} event */
export function letter(event) {
  const position = event.code.match(/^Key([A-Z])$/);
  if (position && !/^[a-z]$/i.test(event.key)) return position[1].toLowerCase();
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}
