"""Stores what belongs to a model's pictures in a file of a bundle of its own.

The release before this one writes no such file, and reads past it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from shared.bundles.errors import BundleNotReproduced, BundleUnreadable
from shared.domain.results.prediction import Prediction
from shared.learning.belonging import Belonging
from shared.learning.novelty import Novelty

BELONGING_FILE = "belonging.safetensors"
GOLDEN_TOLERANCE = 0.02
"""Maximum relative difference from the stored distance of a golden case."""

Arrays = Mapping[str, NDArray[np.floating]]


def pack(belonging: Belonging, golden_distances: Sequence[float]) -> bytes:
    """Pack the Gaussian, the limit, the share in colour, and the distances of the golden cases."""
    novelty = belonging.novelty
    numbers = (novelty.residual, belonging.limit, belonging.coloured_share)
    arrays: dict[str, NDArray[np.floating]] = {
        "mean": novelty.mean,
        "spread": novelty.spread,
        "components": novelty.components,
        "variances": novelty.variances,
        "numbers": np.array(numbers, np.float64),
        "golden": np.array(golden_distances, np.float64),
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return safetensors.numpy.save(contiguous)


def unpack(arrays: Arrays, width: int) -> Belonging:
    """Unpack what belongs. Raises `BundleUnreadable` for arrays that do not fit each other.

    Parameters
    ----------
    width : number of features of a picture, without the column for colour
    """
    count = arrays["components"].shape[0]
    shapes = {
        "mean": (width,),
        "spread": (width,),
        "components": (count, width),
        "variances": (count,),
        "numbers": (3,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BundleUnreadable(part=BELONGING_FILE, problem=f"malformed {name}")
    residual, limit, coloured_share = arrays["numbers"].tolist()
    positive = (arrays["spread"], arrays["variances"], np.array([residual, limit]))
    if not all((values > 0).all() for values in positive):
        raise BundleUnreadable(
            part=BELONGING_FILE, problem="a spread or limit that is not positive"
        )
    return Belonging(
        novelty=Novelty(
            mean=arrays["mean"],
            spread=arrays["spread"],
            components=arrays["components"],
            variances=arrays["variances"],
            residual=residual,
        ),
        limit=limit,
        coloured_share=coloured_share,
    )


def reproduce(predictions: Sequence[Prediction], arrays: Arrays) -> None:
    """Compare the distances of the golden cases with the stored ones.

    Raises `BundleNotReproduced` if one differs.
    """
    expected_distances = arrays["golden"].tolist()
    pairs = zip(predictions, expected_distances, strict=True)
    for case, (prediction, expected) in enumerate(pairs):
        distance = prediction.frame_distance
        if distance is None or not (
            abs(distance - expected) <= GOLDEN_TOLERANCE * expected
        ):
            raise BundleNotReproduced(
                case=case, found=distance or 0.0, expected=expected
            )
