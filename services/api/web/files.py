"""Static files of the pages: loaded and compressed once, cached by browsers until they change.

A page names its files under a folder that is named after their contents
(`/static/1f0c.../reader.js`), and the files name each other relatively. So a page never loads the
files of another release.

Only static files are compressed, never pages. A page contains its CSRF token beside text that a
visitor may have put into the address; the compressed length of both would reveal the token
(BREACH).
"""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
IMMUTABLE_CACHE = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    body: bytes
    gzipped: bytes
    media_type: str
    digest: str

    def encode(self, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
        """The body in an encoding that the browser accepts, and the headers that name it."""
        if not accepts_gzip(accept_encoding):
            return self.body, {"ETag": f'"{self.digest}"'}
        headers = {"ETag": f'"{self.digest}-gzip"', "Content-Encoding": "gzip"}
        return self.gzipped, headers


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header names gzip with a weight above 0 (RFC 9110, 12.5.3)."""
    for coding in accept_encoding.lower().split(","):
        name, _, weight = coding.replace(" ", "").partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


def load_file(path: Path) -> StaticFile:
    body = path.read_bytes()
    return StaticFile(
        body=body,
        gzipped=gzip.compress(body, mtime=0),
        media_type=guess_type(path.name)[0] or "application/octet-stream",
        digest=sha256(body).hexdigest()[:32],
    )


FILES = {path.name: load_file(path) for path in sorted(FOLDER.iterdir())}
_NAMES_AND_DIGESTS = "".join(name + file.digest for name, file in FILES.items())
VERSION = sha256(_NAMES_AND_DIGESTS.encode()).hexdigest()[:16]
STATIC_URL = f"/static/{VERSION}"
"""The folder of the static files in the pages' addresses."""
