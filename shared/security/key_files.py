"""Key files of this installation in its home folder.

A key is created when it is first needed, readable for its owner only. The file holds 32 random
bytes as base64.
"""

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

KEY_BYTES = 32


def read_or_create(path: Path) -> str:
    """Return the text of the key file, which is created if it is missing. Raises OSError."""
    if not path.exists():
        _create(path)
    return path.read_text()


def decode_key(text: str) -> bytes:
    """The key's bytes. Raises ValueError if the text is no key."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("it is no base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"it has {len(key)} bytes")
    return key


def _create(path: Path) -> None:
    """Create a key file atomically. If two processes create it, the first file stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as new_file:
        new_file.write(base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
        new_file.flush()
        os.fsync(new_file.fileno())
        with suppress(FileExistsError):
            os.link(new_file.name, path)
