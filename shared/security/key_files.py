"""Keys of this installation that lie in a file of its home: drawn when first needed, for their owner only.

They are written as base64 of 32 random bytes.
"""

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

KEY_BYTES = 32


def kept(path: Path) -> str:
    """What the file holds; drawn if there is none. Raises OSError where it cannot be kept."""
    if not path.exists():
        _draw(path)
    return path.read_text()


def raw(text: str) -> bytes:
    """The key's bytes; ValueError if it is none."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("it is no base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"it has {len(key)} bytes")
    return key


def _draw(path: Path) -> None:
    """Whoever is first wins; the file appears whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as draft:
        draft.write(base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
        draft.flush()
        os.fsync(draft.fileno())
        with suppress(FileExistsError):
            os.link(draft.name, path)
