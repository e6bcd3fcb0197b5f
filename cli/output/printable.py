"""Makes text from elsewhere safe for a terminal, which obeys some characters of it.

A gateway's answer, or a file of another machine, could otherwise clear the screen, fake lines, or
write into the clipboard of whoever runs a command.
"""

import unicodedata

LINE_CHARACTERS = "\n\t"
DIRECTION_CHARACTERS = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""They make a line read in another order than it is written."""


def printable(text: str) -> str:
    """Return the text with an escape for each control character; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(map(_printable_character, text))


def printable_json(value: object) -> object:
    """Return decoded JSON with printable texts."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [printable_json(item) for item in value]
    if isinstance(value, dict):
        return {printable(name): printable_json(item) for name, item in value.items()}
    return value


def _printable_character(character: str) -> str:
    is_control = unicodedata.category(character) in ("Cc", "Cs")
    is_obeyed = is_control and character not in LINE_CHARACTERS
    if is_obeyed or character in DIRECTION_CHARACTERS:
        return character.encode("unicode_escape").decode()
    return character
