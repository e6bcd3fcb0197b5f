"""The files that pages are made with: read once, packed once, and kept by browsers for as long as they stay the same.

Pages name them under a folder that is named after their contents (`/static/1f0c.../reader.js`), and they name each
other relatively, so that a page never meets the files of another release. Only these are packed: a page has its CSRF
proof beside what a visitor may have put into its address, and the length of both packed together tells about the
proof (BREACH).
"""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    body: bytes
    packed: bytes
    kind: str
    digest: str

    def encoded(self, accepted: str) -> tuple[bytes, dict[str, str]]:
        """What is sent to a browser that accepts these encodings, and the headers that say which it is."""
        if not takes_gzip(accepted):
            return self.body, {"ETag": f'"{self.digest}"'}
        return self.packed, {
            "ETag": f'"{self.digest}-gzip"',
            "Content-Encoding": "gzip",
        }


def takes_gzip(accepted: str) -> bool:
    """Of an Accept-Encoding header (RFC 9110, 12.5.3) that names gzip and does not rule it out."""
    for each in accepted.lower().split(","):
        name, _, weight = each.replace(" ", "").partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


def read(path: Path) -> StaticFile:
    body = path.read_bytes()
    return StaticFile(
        body=body,
        packed=gzip.compress(body, mtime=0),
        kind=guess_type(path.name)[0] or "application/octet-stream",
        digest=sha256(body).hexdigest()[:32],
    )


FILES = {path.name: read(path) for path in sorted(FOLDER.iterdir())}
VERSION = sha256(
    "".join(name + file.digest for name, file in FILES.items()).encode()
).hexdigest()[:16]
HERE = f"/static/{VERSION}"
"""Where pages find them."""
