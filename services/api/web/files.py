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
IMMUTABLE_CACHE = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    body: bytes
    gzipped: bytes
    media_type: str
    digest: str

    def encode(self, accepted: str) -> tuple[bytes, dict[str, str]]:
        """What is sent to a browser that accepts these encodings, and the headers that say which it is."""
        if not accepts_gzip(accepted):
            return self.body, {"ETag": f'"{self.digest}"'}
        return self.gzipped, {
            "ETag": f'"{self.digest}-gzip"',
            "Content-Encoding": "gzip",
        }


def accepts_gzip(accepted: str) -> bool:
    """Of an Accept-Encoding header (RFC 9110, 12.5.3) that names gzip and does not rule it out."""
    for each in accepted.lower().split(","):
        name, _, weight = each.replace(" ", "").partition(";q=")
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
VERSION = sha256(
    "".join(name + file.digest for name, file in FILES.items()).encode()
).hexdigest()[:16]
STATIC_URL = f"/static/{VERSION}"
"""Where pages find them."""
