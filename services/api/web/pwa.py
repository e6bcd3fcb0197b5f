"""The parts of a progressive web app: manifest, icons, offline page, and a service worker.

The service worker caches static files and nothing else.
"""

import tomllib
from functools import cache
from io import BytesIO
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response
from PIL import Image, ImageDraw
from starlette.responses import FileResponse

from services.api.strict_requests import StrictRoute
from shared.errors import NotFound

FOLDER = Path(__file__).parent
THEME_COLOUR = "#0b5a8f"
BACKGROUND_COLOUR = "#ffffff"
ICONS = {
    "icon-192.png": (192, 0.0),
    "icon-512.png": (512, 0.0),
    "icon-maskable-512.png": (512, 0.12),
}
"""Side in pixels, and the free margin (a share of the side) for phones that cut icons round."""
OVERSAMPLING = 4
"""Icons are drawn larger by this factor and then reduced, for smooth edges."""
MANIFEST = {
    "name": "SERA",
    "short_name": "SERA",
    "id": "/",
    "start_url": "/",
    "scope": "/",
    "display": "standalone",
    "background_color": BACKGROUND_COLOUR,
    "theme_color": THEME_COLOUR,
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
CACHE_ONE_DAY = {"Cache-Control": "public, max-age=86400"}
OFFLINE_PAGE = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>SERA</title>'
    '<link rel="stylesheet" href="/static/sera.css">'
    "</head><body><main>{sections}</main></body></html>"
)
OFFLINE_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

router = APIRouter(route_class=StrictRoute, include_in_schema=False)


@router.get("/manifest.webmanifest")
def manifest() -> JSONResponse:
    return JSONResponse(
        MANIFEST, media_type="application/manifest+json", headers=CACHE_ONE_DAY
    )


@router.get("/icons/{name}")
def icon(name: str) -> Response:
    if name not in ICONS:
        raise NotFound(thing="file")
    side, inset = ICONS[name]
    image = draw_icon(side, inset)
    return Response(image, media_type="image/png", headers=CACHE_ONE_DAY)


@router.get("/service-worker.js")
def service_worker() -> FileResponse:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
    }
    return FileResponse(
        FOLDER / "static" / "service-worker.js",
        media_type="text/javascript",
        headers=headers,
    )


@router.get("/offline")
def offline() -> HTMLResponse:
    """The page that a phone shows without a network, in both languages."""
    sections = "".join(
        f'<section lang="{language}"><h1>{texts["title"]}</h1><p>{texts["text"]}</p></section>'
        for language, texts in offline_texts().items()
    )
    return HTMLResponse(
        OFFLINE_PAGE.format(language="en", sections=sections),
        headers=OFFLINE_POLICY | {"Cache-Control": "no-cache"},
    )


@cache
def offline_texts() -> dict[str, dict[str, str]]:
    """The texts of the offline page by language."""
    texts: dict[str, dict[str, str]] = {}
    for language in ("en", "ko"):
        file = FOLDER / "words" / language / "offline.toml"
        texts[language] = tomllib.loads(file.read_text())
    return texts


@cache
def draw_icon(side: int, inset: float) -> bytes:
    """A nodule between its caliper marks, as a PNG file."""
    canvas_px = side * OVERSAMPLING
    image = Image.new("RGB", (canvas_px, canvas_px), THEME_COLOUR)
    pen = ImageDraw.Draw(image)
    start = (0.14 + inset) * canvas_px
    end = (0.86 - inset) * canvas_px
    span = end - start
    nodule = (
        start + 0.18 * span,
        start + 0.26 * span,
        end - 0.18 * span,
        end - 0.26 * span,
    )
    pen.ellipse(nodule, fill=BACKGROUND_COLOUR)
    middle = canvas_px / 2
    arm = 0.1 * span
    width = max(round(0.025 * canvas_px), 1)
    for x, y in (
        (start + arm, middle),
        (end - arm, middle),
        (middle, start + arm),
        (middle, end - arm),
    ):
        pen.line((x - arm, y, x + arm, y), fill=BACKGROUND_COLOUR, width=width)
        pen.line((x, y - arm, x, y + arm), fill=BACKGROUND_COLOUR, width=width)
    stream = BytesIO()
    icon = image.resize((side, side), Image.Resampling.LANCZOS)
    icon.save(stream, "PNG", optimize=True)
    return stream.getvalue()
