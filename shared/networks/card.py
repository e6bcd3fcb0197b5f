"""What is known of a network, as data: adding a network adds no branch."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

WHITE_LEVEL = 255.0


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each input channel, on the scale where white is 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
MID_GREY = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
PLUS_MINUS_ONE = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""From -1 to 1: what Google's networks were trained on."""


def grey_level_normalisation(
    mean: tuple[float, float, float], std: float = 1.0
) -> Normalisation:
    """Mean and standard deviation as the older networks state them, on the scale where white is 255."""
    red, green, blue = mean
    return Normalisation(
        (red / WHITE_LEVEL, green / WHITE_LEVEL, blue / WHITE_LEVEL),
        (std / WHITE_LEVEL,) * 3,
    )


class Pool(StrEnum):
    """How a feature map (N, C, H, W) becomes (N, C).

    Over the whole crop, over its middle half, or over a region that the nodule's mask gives.
    """

    AVERAGE = "avg"
    MAX = "max"
    CENTRE = "centre"
    INSIDE = "inside"
    RIM = "rim"
    SURROUNDINGS = "around"
    FLAT = "flat"
    """there is no map: a fully connected layer gave (N, C) already"""


REGION_POOLS = (Pool.INSIDE, Pool.RIM, Pool.SURROUNDINGS)
MAP_POOLS = (Pool.AVERAGE, Pool.MAX, Pool.CENTRE, *REGION_POOLS)


@dataclass(frozen=True)
class Tap:
    """Where features are read: after `stage`, pooled over the image to `width` numbers."""

    stage: str
    pool: Pool
    width: int


@dataclass(frozen=True)
class WeightsSource:
    """Where pre-trained weights come from: the file names looked for, then the address, with its licence.

    Attributes
    ----------
    files : names looked for in a folder, in this order; the ending says the format
    url : where to fetch them; empty where no address of the file itself is known
    md5 : of the file at `url`, where its publisher states it
    """

    files: tuple[str, ...]
    url: str
    licence: str
    md5: str = ""

    @property
    def download_name(self) -> str:
        """The name under which a download is kept: the first one with its format's ending."""
        ending = PurePosixPath(self.url).suffix
        return next(file for file in self.files if file.endswith(ending))


@dataclass(frozen=True)
class NetworkCard:
    """A network in one paragraph.

    Attributes
    ----------
    input_px : side of the square input
    taps : name -> tap, in the order of the layers
    embedding : the tap that the last fully connected layer reads; tuning puts a new layer of two classes there
    weights : None where there are none to fetch and the network is trained from scratch
    source : the paper
    """

    name: str
    input_px: int
    normalisation: Normalisation
    taps: Mapping[str, Tap]
    embedding: str
    weights: WeightsSource | None
    source: str


def pooled_taps(widths: Mapping[str, int]) -> dict[str, Tap]:
    """Every pooling of each stage, named `stage.avg` and so on; the last stage's also without the stage."""
    last = list(widths)[-1]
    named = {
        f"{stage}.{pool}": Tap(stage, pool, width)
        for stage, width in widths.items()
        for pool in MAP_POOLS
    }
    return named | {str(pool): Tap(last, pool, widths[last]) for pool in MAP_POOLS}


def connected_taps(widths: Mapping[str, int]) -> dict[str, Tap]:
    """Fully connected layers, each under its own name."""
    return {stage: Tap(stage, Pool.FLAT, width) for stage, width in widths.items()}
