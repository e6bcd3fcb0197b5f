"""A loaded bundle: the immutable trained model, ready to predict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.bundles.manifest import Manifest
from shared.domain.results.prediction import Prediction
from shared.errors import SeraError
from shared.imaging import Framing, Nodule
from shared.learning import FittedModel, recipe_framing


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    `digest` is the SHA-256 of its manifest, which holds the SHA-256 of all other files.
    """

    digest: str
    manifest: Manifest
    model: FittedModel

    @property
    def framing(self) -> Framing:
        """How nodules are cropped for this bundle."""
        framing = recipe_framing(self.model.recipe)
        return replace(framing, outliner=self.model.outliner)

    @property
    def prevalence(self) -> float:
        """Malignant fraction of the training images, at which `Prediction.risk` holds."""
        return self.manifest.prevalence

    def predict(self, nodules: Sequence[Nodule]) -> list[Prediction]:
        """Return one prediction for each nodule.

        Raises the error of the first unreadable nodule.
        """
        return self.model.predict(nodules)

    def predict_each(
        self, nodules: Sequence[Nodule | SeraError]
    ) -> list[Prediction | SeraError]:
        """Return the prediction or the error of each nodule.

        An error of one nodule does not affect the other nodules.

        If an entry of `nodules` is already an error, it is returned unchanged.
        """
        return self.model.predict_each(nodules)
