"""The description of a network as data. A new network needs no new branch in the code."""

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
"""From -1 to 1, the input of Google's networks in training."""


def grey_level_normalisation(
    mean: tuple[float, float, float], std: float = 1.0
) -> Normalisation:
    """Return a normalisation from statistics of grey levels, where white is 255.

    The older networks state their statistics on that scale.
    """
    red, green, blue = mean
    scaled_std = std / WHITE_LEVEL
    return Normalisation(
        mean=(red / WHITE_LEVEL, green / WHITE_LEVEL, blue / WHITE_LEVEL),
        std=(scaled_std, scaled_std, scaled_std),
    )


class Pool(StrEnum):
    """How a feature map (N, C, H, W) is pooled to (N, C).

    AVERAGE and MAX pool the whole crop, CENTRE its middle half. INSIDE, RIM and SURROUNDINGS pool a
    region that the nodule's mask defines. The patch tokens of a vision transformer are pooled as a
    map, too; CLASS is its class token.
    """

    AVERAGE = "avg"
    MAX = "max"
    CENTRE = "centre"
    INSIDE = "inside"
    RIM = "rim"
    SURROUNDINGS = "around"
    CLASS = "cls"
    FLAT = "flat"
    """no pooling, because the output of a fully connected layer already is (N, C)"""


REGION_POOLS = (Pool.INSIDE, Pool.RIM, Pool.SURROUNDINGS)
MAP_POOLS = (Pool.AVERAGE, Pool.MAX, Pool.CENTRE, *REGION_POOLS)


@dataclass(frozen=True)
class Tap:
    """The output of `stage`, pooled to `width` features."""

    stage: str
    pool: Pool
    width: int


@dataclass(frozen=True)
class WeightsSource:
    """Where pre-trained weights come from: file names, an address, and the licence.

    Attributes
    ----------
    files : names to look for in a folder, in this order; the ending gives the format
    url : download address; empty if no address of the file itself is known
    licence : of the weights, with the terms of the data that they were trained on
    md5 : of the file at `url`, if its publisher states it
    sha256 : of the file at `url`, if neither its name nor its publisher gives a hash; the value is
        the one that projects which pin the file agree on
    """

    files: tuple[str, ...]
    url: str
    licence: str
    md5: str = ""
    sha256: str = ""

    @property
    def download_name(self) -> str:
        """The file name of a download: the first one with the ending of `url`."""
        ending = PurePosixPath(self.url).suffix
        return next(file for file in self.files if file.endswith(ending))


@dataclass(frozen=True)
class NetworkCard:
    """The facts about one network.

    Attributes
    ----------
    input_px : side of the square input
    taps : tap by name, in the order of the layers
    embedding : the tap before the last fully connected layer; tuning adds a new layer of two
        classes after it
    weights : None if there are none to download and the network is trained from scratch
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
    """Return every pooling of each stage, named `stage.avg` and so on.

    The taps of the last stage also have a name without the stage.

    Parameters
    ----------
    widths : number of channels of each stage
    """
    taps: dict[str, Tap] = {}
    for stage, width in widths.items():
        for pool in MAP_POOLS:
            taps[f"{stage}.{pool}"] = Tap(stage, pool, width)
    last_stage = list(widths)[-1]
    for pool in MAP_POOLS:
        taps[str(pool)] = taps[f"{last_stage}.{pool}"]
    return taps


def token_taps(widths: Mapping[str, int]) -> dict[str, Tap]:
    """Return the taps of a vision transformer: every pooling of its patches, and its class token.

    Parameters
    ----------
    widths : number of channels of each stage that gives tokens (N, 1 + H W, C)
    """
    taps = pooled_taps(widths)
    for stage, width in widths.items():
        taps[f"{stage}.{Pool.CLASS}"] = Tap(stage, Pool.CLASS, width)
    last_stage = list(widths)[-1]
    taps[str(Pool.CLASS)] = taps[f"{last_stage}.{Pool.CLASS}"]
    return taps


def fully_connected_taps(widths: Mapping[str, int]) -> dict[str, Tap]:
    """Return the fully connected layers, each under its own name."""
    return {stage: Tap(stage, Pool.FLAT, width) for stage, width in widths.items()}
