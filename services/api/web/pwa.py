"""What makes the pages a phone's app: manifest, icons, and a worker that keeps the static shell and nothing else."""

import tomllib
from functools import cache
from io import BytesIO
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response
from PIL import Image, ImageDraw
from starlette.responses import FileResponse

from shared.errors import NotFound

HERE = Path(__file__).parent
INK = "#0b5a8f"
GROUND = "#ffffff"
ICONS = {
    "icon-192.png": (192, 0.0),
    "icon-512.png": (512, 0.0),
    "icon-maskable-512.png": (512, 0.12),
}
"""Side in pixels, and how far the drawing keeps from the edge for phones that cut icons round."""
FINER = 4
"""Icons are drawn so many times larger, then made small, for smooth edges."""
MANIFEST = {
    "name": "SERA",
    "short_name": "SERA",
    "id": "/",
    "start_url": "/",
    "scope": "/",
    "display": "standalone",
    "background_color": GROUND,
    "theme_color": INK,
    "icons": [
        {
            "src": f"/icons/{name}",
            "sizes": f"{side}x{side}",
            "type": "image/png",
            "purpose": "maskable" if inset else "any",
        }
        for name, (side, inset) in ICONS.items()
    ],
}
KEPT = {"Cache-Control": "public, max-age=86400"}
OFFLINE = (
    '<!doctype html><html lang="{first}"><head><meta charset="utf-8"><meta name="viewport" '
    'content="width=device-width, initial-scale=1"><title>SERA</title><link rel="stylesheet" href="/static/sera.css">'
    "</head><body><main>{parts}</main></body></html>"
)
POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
}

router = APIRouter(include_in_schema=False)


@router.get("/manifest.webmanifest")
def manifest() -> JSONResponse:
    return JSONResponse(MANIFEST, media_type="application/manifest+json", headers=KEPT)


@router.get("/icons/{name}")
def icon(name: str) -> Response:
    if name not in ICONS:
        raise NotFound(thing="file")
    return Response(drawn(*ICONS[name]), media_type="image/png", headers=KEPT)


@router.get("/service-worker.js")
def service_worker() -> FileResponse:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
    }
    return FileResponse(
        HERE / "static" / "service-worker.js",
        media_type="text/javascript",
        headers=headers,
    )


@router.get("/offline")
def offline() -> HTMLResponse:
    """What a phone shows without a network; in both languages, since nobody can be asked."""
    parts = "".join(
        f'<section lang="{language}"><h1>{words["title"]}</h1><p>{words["text"]}</p></section>'
        for language, words in offline_words().items()
    )
    return HTMLResponse(
        OFFLINE.format(first="en", parts=parts),
        headers=POLICY | {"Cache-Control": "no-cache"},
    )


@cache
def offline_words() -> dict[str, dict[str, str]]:
    return {
        each: tomllib.loads((HERE / "words" / each / "offline.toml").read_text())
        for each in ("en", "ko")
    }


@cache
def drawn(side: int, inset: float) -> bytes:
    """A nodule between its caliper marks, as a PNG file."""
    whole = side * FINER
    image = Image.new("RGB", (whole, whole), INK)
    pen = ImageDraw.Draw(image)
    least = (0.14 + inset) * whole
    most = (0.86 - inset) * whole
    span = most - least
    middle = whole / 2
    thick = max(round(0.025 * whole), 1)
    pen.ellipse(
        (
            least + 0.18 * span,
            least + 0.26 * span,
            most - 0.18 * span,
            most - 0.26 * span,
        ),
        fill=GROUND,
    )
    arm = 0.1 * span
    for x, y in (
        (least + arm, middle),
        (most - arm, middle),
        (middle, least + arm),
        (middle, most - arm),
    ):
        pen.line((x - arm, y, x + arm, y), fill=GROUND, width=thick)
        pen.line((x, y - arm, x, y + arm), fill=GROUND, width=thick)
    stream = BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).save(
        stream, "PNG", optimize=True
    )
    return stream.getvalue()
