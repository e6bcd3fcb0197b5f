"""A page with a viewer of its own that has every tool, to be driven by mouse, touch and keys."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import CDPSession, Locator, Page

from services.api.web.files import STATIC_URL

TIMEOUT_S = 60.0
WIDTH, HEIGHT = 400, 300
"""The size of the image in pixels."""
CALIBRATION = {"rowMm": 0.2, "columnMm": 0.1, "box": [0, 0, 400, 250]}
PROPOSAL = [[100, 80], [180, 70], [200, 150], [120, 170]]
MOUNT = """
async ({ url, width, height, calibration, proposal, frames }) => {
  const { Viewer } = await import(`${url}/viewer.js`);
  const place = document.createElement("div");
  Object.assign(place.style, { height: "min(620px, 90vh)", maxWidth: "820px" });
  document.querySelector("main").replaceChildren(place);
  const picture = (shift) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height }), pen = canvas.getContext("2d");
    pen.fillStyle = `rgb(${60 + shift} ${60 + shift} ${60 + shift})`;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = "rgb(200 200 200)";
    pen.fillRect(100, 70, 100, 100);
    return createImageBitmap(canvas);
  };
  window.changes = [];
  window.clicked = [];
  window.mapAsked = 0;
  window.viewer = new Viewer(place, {
    label: "A picture",
    tools: ["move", "window", "caliper", "box", "polygon", "click"],
    outlines: [{ points: [[100, 70], [200, 70], [200, 170], [100, 170]], style: "read" }],
    onChange: (change) => window.changes.push(change),
    onOutlineAt: async (point) => { window.clicked.push(point); return point[0] < width / 2 ? proposal : null; },
    onMap: () => { window.mapAsked += 1; },
  });
  const loop = frames > 1 ? { count: frames, current: 1, load: (frame) => picture(10 * frame) } : undefined;
  window.viewer.show(await picture(0), { calibration, frames: loop });
  await new Promise((resolve) => setTimeout(resolve, 150));
}
"""


@dataclass(frozen=True)
class ViewerPage:
    """A page with `window.viewer`. Points are (x, y) in pixels of the image."""

    page: Page

    @classmethod
    def mount(cls, page: Page, frames: int = 1) -> "ViewerPage":
        """Put a viewer in the place of a page's content. The page must have its words."""
        page.add_style_tag(url=f"{STATIC_URL}/viewer.css")
        page.evaluate(
            MOUNT,
            {
                "url": STATIC_URL,
                "width": WIDTH,
                "height": HEIGHT,
                "calibration": CALIBRATION,
                "proposal": PROPOSAL,
                "frames": frames,
            },
        )
        return cls(page)

    @property
    def canvas(self) -> Locator:
        return self.page.locator(".viewer-stage canvas")

    def get(self, expression: str) -> Any:
        """The value of an expression of the viewer, e.g. `marks.box`."""
        return self.page.evaluate(f"() => window.viewer.{expression}")

    def wait_until(self, condition: str) -> None:
        """Wait until a condition of the viewer holds. The page's policy forbids `eval`, with which
        Playwright waits for a text.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while not self.get(condition):
            assert time.monotonic() < deadline, condition
            self.page.wait_for_timeout(50)

    def screen(self, x: float, y: float) -> tuple[float, float]:
        """The place of an image point on the page."""
        left, top = self.get(f"viewport.toScreen([{x}, {y}])")
        box = self.canvas.bounding_box()
        return box["x"] + left, box["y"] + top

    def tool(self, name: str) -> None:
        self.page.locator(f"[data-tool={name}]").first.click()

    def press(self, *keys: str) -> None:
        """Press keys on the canvas."""
        self.canvas.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], button: str = "left"
    ) -> None:
        """Drag the mouse from one image point to another."""
        self.page.mouse.move(*self.screen(*start))
        end_on_screen = self.screen(*end)
        self.page.mouse.down(button=button)
        self.page.mouse.move(*end_on_screen, steps=4)
        self.page.mouse.up(button=button)

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.screen(x, y))

    def grey(self, x: float, y: float) -> int:
        """The grey that is drawn at an image point, after the next frame."""
        return self.page.evaluate(
            """async ([x, y]) => {
              await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
              const [left, top] = viewer.viewport.toScreen([x, y]), dense = devicePixelRatio;
              return viewer.canvas.getContext("2d").getImageData(Math.round(left * dense), Math.round(top * dense), 1, 1).data[0];
            }""",
            [x, y],
        )


@dataclass(frozen=True)
class Fingers:
    """Touches of a page by the browser's own input events."""

    session: CDPSession

    @classmethod
    def of(cls, page: Page) -> "Fingers":
        return cls(page.context.new_cdp_session(page))

    def move(
        self,
        paths: list[list[tuple[float, float]]],
        between: Callable[[], None] | None = None,
    ) -> None:
        """Move a finger along each path at once. `between` is called before they are lifted."""
        for step in range(len(paths[0])):
            points = [
                {"x": path[step][0], "y": path[step][1], "id": number}
                for number, path in enumerate(paths)
            ]
            kind = "touchMove" if step else "touchStart"
            self._send(kind, points)
        if between is not None:
            between()
        self._send("touchEnd", [])

    def _send(self, kind: str, points: list[dict[str, float]]) -> None:
        self.session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
        )
