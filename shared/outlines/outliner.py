"""Outlines nodules with a trained outline network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from shared.imaging.errors import RoiInvalid, RoiTooSmall
from shared.imaging.image import Box
from shared.imaging.regions.crop import ProposedRoi
from shared.imaging.regions.roi import MIN_SIDE_PX, Click, RealBox, Roi
from shared.networks.device import compute_device
from shared.networks.weights.finding import tensors_digest
from shared.outlines.network import OutlineNetwork
from shared.outlines.window import BOX_MAP, Array, Window

Grey = NDArray[np.uint8]
THRESHOLD = 0.5
MIN_PROPOSAL_SHARE = 0.003
"""Smallest area of a proposed nodule, as a share of the picture."""
MIN_PROPOSAL_PROBABILITY = 0.6
"""Smallest mean probability of its pixels."""
MAX_PROPOSALS = 5
CLICK_REACH = 0.05
"""How far beside a nodule a click may be that means it, as a share of the picture's side."""
SHAPE_SHARES = (0.3, 0.5)
"""Share of the given shape, a polygon or the ellipse inside a box, in the log-odds around it: for a
box that is not trusted at all, and for one that is fully trusted. The mean of shape and network is
nearer to people's outlines than either alone.
"""
SHAPE_STEEPNESS = 10.0
"""How fast the log-odds of the shape fall with the distance from its edge, in radii."""
TRUST_FROM, FULL_TRUST = 0.55, 0.8
"""Overlap (intersection over union) of a given box with that of the outline which the network alone
draws in it: where trust in the given box begins, and where it is complete. Readers' exact boxes
overlap by 0.85 on average, those with sides off by up to 30 % by 0.61.
"""
MAX_LOG_ODDS = 9.0


class NetworkOutliner:
    """Draws the outlines of nodules. It may be used by several threads."""

    def __init__(self, network: OutlineNetwork) -> None:
        self._device = compute_device()
        self.network = network.to(self._device).eval().requires_grad_(False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights; part of the key of a cached feature."""
        return tensors_digest(self.network.state_dict())

    def trace(self, pixels: Grey, roi: Roi) -> Roi:
        """Return the outline of the nodule that a box or a polygon marks.

        It lies between the given shape and what the network sees; a box is read as the ellipse
        inside it. The network looks where the box is; a box that disagrees with what it sees there
        is moved towards the network's own box first, and the shape then counts less. Where nothing
        is found, the outline is the ellipse inside the box.

        Parameters
        ----------
        pixels : (height, width)
        roi : its sides may be off by a third
        """
        height, width = pixels.shape
        box = roi.real_box
        window, network = self._around(pixels, box)
        alone = _outline(network, window, width=width, height=height)
        trust = _trust(box, alone.real_box) if alone else 1.0
        if alone and trust < 1:
            box = _between(alone.real_box, box, trust)
            window, network = self._around(pixels, box)
        if roi.polygon:
            shape = _polygon_log_odds(roi, window, width=width, height=height)
        else:
            shape = _ellipse_log_odds(window.box_prompt(box)[BOX_MAP])
        share = float(np.interp(trust, (0, 1), SHAPE_SHARES))
        log_odds = (1 - share) * network + share * shape
        outline = _outline(log_odds, window, width=width, height=height)
        return outline or _ellipse(box, width=width, height=height)

    def propose(
        self, pixels: Grey, region: Box, click: Click | None = None
    ) -> Sequence[ProposedRoi]:
        """Return the boxes of what may be nodules, the likeliest first; possibly none.

        Only those that are read need an outline, from `trace`.

        Parameters
        ----------
        pixels : (height, width)
        region : the part of the picture to search
        click : a point in the one nodule that is meant; at most one box is returned
        """
        whole = (region.x, region.y, region.width, region.height)
        window = Window.of_picture(whole, self.network.input_px)
        prompt = window.click_prompt(click) if click else window.no_prompt()
        log_odds = self.log_odds(pixels, window, prompt)
        probabilities = expit(log_odds).astype(np.float32)
        height, width = pixels.shape
        placed = window.place(probabilities, width=width, height=height)
        if click:
            reach_px = CLICK_REACH * (region.width * region.height) ** 0.5
            candidates = _candidates_at(placed, click, reach_px)
        else:
            candidates = _candidates(placed, region.width * region.height)
        return [
            ProposedRoi(roi=Roi(box=candidate.box), probability=candidate.probability)
            for candidate in candidates
        ]

    def _around(self, pixels: Grey, box: RealBox) -> tuple[Window, Array]:
        """Return the window around a box, and the network's log-odds (rows, columns) there."""
        window = Window.around(box, self.network.input_px)
        return window, self.log_odds(pixels, window, window.box_prompt(box))

    def log_odds(self, pixels: Grey, window: Window, prompt: Array) -> Array:
        """Return the log-odds (rows, columns), the mean over the mirror image too.

        `prompt` has the shape (`PROMPT_MAPS`, rows, columns).
        """
        image = window.sample(pixels) / 255
        images = np.stack([image, image[:, ::-1]])[:, np.newaxis]
        prompts = np.stack([prompt, prompt[..., ::-1]])
        with torch.inference_mode():
            log_odds = self.network(
                torch.from_numpy(images).to(self._device),
                torch.from_numpy(prompts).to(self._device),
            )
            both = log_odds.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS).cpu().numpy()[:, 0]
        return np.asarray((both[0] + both[1][:, ::-1]) / 2, np.float32)


def _outline(log_odds: Array, window: Window, width: int, height: int) -> Roi | None:
    """Return the outline of the largest likely part of a window, on the picture."""
    probabilities = expit(log_odds).astype(np.float32)
    placed = window.place(probabilities, width=width, height=height)
    return _largest_outline(placed >= THRESHOLD)


def _trust(given: RealBox, seen: RealBox) -> float:
    """Return how far a given box is trusted beside the one that the network sees, 0 to 1."""
    overlap = _intersection_over_union(given, seen)
    return float(np.interp(overlap, (TRUST_FROM, FULL_TRUST), (0, 1)))


def _intersection_over_union(one: RealBox, other: RealBox) -> float:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(across, 0.0) * max(down, 0.0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def _between(start: RealBox, end: RealBox, share: float) -> RealBox:
    """Return the box at a share of the way from one box to another."""
    left, top, width, height = (
        first + share * (last - first) for first, last in zip(start, end, strict=True)
    )
    return left, top, width, height


@dataclass(frozen=True)
class _Candidate:
    """A connected part of the picture that may be a nodule.

    Attributes
    ----------
    weight : sum of its pixels' probabilities
    area_px : number of its pixels
    """

    weight: float
    area_px: int
    box: RealBox

    @property
    def probability(self) -> float:
        """The mean of its pixels' probabilities."""
        return self.weight / self.area_px


def _largest_outline(inside: NDArray[np.bool_]) -> Roi | None:
    """Return the outline of the largest part; None if no part is large enough for a nodule."""
    if not inside.any():
        return None
    try:
        return Roi.from_mask(inside)
    except (RoiTooSmall, RoiInvalid):
        return None


def _ellipse_log_odds(prompt: Array) -> Array:
    """Return the log-odds of the ellipse inside a box, 0 on the ellipse, from the box's map."""
    radius = 2 * (1 - prompt)
    log_odds = SHAPE_STEEPNESS * (1 - radius)
    return np.asarray(np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS), np.float32)


def _polygon_log_odds(roi: Roi, window: Window, width: int, height: int) -> Array:
    """Return the log-odds of a polygon, 0 on its edge, in the network's pixels."""
    picture = Box(x=0, y=0, width=width, height=height)
    inside = window.sample(roi.mask(picture).astype(np.float32)) >= 0.5
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3)
    radius = max((inside.sum() / np.pi) ** 0.5, 1.0)
    log_odds = SHAPE_STEEPNESS * (depth - distance) / radius
    return np.asarray(np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS), np.float32)


def _ellipse(box: RealBox, width: int, height: int) -> Roi:
    """Return the ellipse inside a box as a polygon, where it lies in the picture."""
    ellipse = Roi(box=box).mask(Box(x=0, y=0, width=width, height=height))
    return _largest_outline(ellipse) or Roi(box=box)


def _candidates(probabilities: Array, area_px: int) -> list[_Candidate]:
    """Return the parts that may be nodules, those with most probability first."""
    candidates = [
        candidate
        for candidate in _parts(probabilities)
        if candidate.area_px >= MIN_PROPOSAL_SHARE * area_px
        and candidate.probability >= MIN_PROPOSAL_PROBABILITY
    ]
    candidates.sort(key=lambda candidate: candidate.weight, reverse=True)
    return candidates[:MAX_PROPOSALS]


def _candidates_at(
    probabilities: Array, click: Click, reach_px: float
) -> list[_Candidate]:
    """Return the part that is nearest to a click; none if there is none within its reach, or it is
    too small for a nodule.
    """
    rows, columns = np.nonzero(probabilities >= THRESHOLD)
    distances_px = np.hypot(columns + 0.5 - click.x, rows + 0.5 - click.y)
    if not len(rows) or distances_px.min() > reach_px:
        return []
    nearest = distances_px.argmin()
    return [
        part
        for part in _parts(probabilities, holds=(rows[nearest], columns[nearest]))
        if min(part.box[2:]) >= MIN_SIDE_PX
    ]


def _parts(
    probabilities: Array, holds: tuple[int, int] | None = None
) -> Iterator[_Candidate]:
    """Yield the connected parts of likely pixels, or only the one that holds a pixel.

    Parameters
    ----------
    holds : row and column
    """
    inside = (probabilities >= THRESHOLD).astype(np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(inside)
    wanted = range(1, count) if holds is None else (int(labels[holds]),)
    for label in wanted:
        left, top, width, height, area = statistics[label].tolist()
        yield _Candidate(
            weight=float(probabilities[labels == label].sum()),
            area_px=area,
            box=(left, top, width, height),
        )
