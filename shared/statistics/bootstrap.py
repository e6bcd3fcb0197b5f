"""The cluster bootstrap: whole patients are drawn, so images of one patient stay together."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.statistics.errors import ScoresInvalid

BOOTSTRAP_DRAWS = 1000
DRAWS_PER_BATCH = 50
SEED = 0


def patient_draws(clusters: ArrayLike, images: int) -> Iterator[NDArray[np.int64]]:
    """Yield how often each image is in each draw, in batches (DRAWS_PER_BATCH, N).

    As many patients as there are are drawn with replacement. The same names give the same draws.

    Parameters
    ----------
    clusters : (N,) names of patients; images with the same name are drawn together
    images : N

    Raises
    ------
    ScoresInvalid

    Source: Rutter, Acad Radiol 7:413 (2000).
    """
    patient_of = np.unique(np.asarray(clusters), return_inverse=True)[1]
    if patient_of.shape != (images,):
        raise ScoresInvalid(
            problem=f"there are {patient_of.size} clusters' names for {images} images"
        )
    random = np.random.default_rng(SEED)
    patients = int(patient_of.max()) + 1
    equal_chances = np.full(patients, 1 / patients)
    for _ in range(BOOTSTRAP_DRAWS // DRAWS_PER_BATCH):
        patient_counts = random.multinomial(patients, equal_chances, DRAWS_PER_BATCH)
        yield patient_counts[:, patient_of]
