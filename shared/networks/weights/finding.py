"""Finding pre-trained weights: a folder first, then a download, else a plain word on what is missing."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from shared.networks.card import NetworkCard, WeightsSource
from shared.networks.errors import WeightsMissing, WeightsUnpublished, WeightsUnreadable
from shared.networks.weights.download import download
from shared.networks.weights.importers import read_tensors

MAX_PROBLEM_LENGTH = 200
"""torch lists every tensor that does not fit; the first ones tell."""


@dataclass(frozen=True)
class WeightsFinder:
    """Looks in `folder` (SERA_WEIGHTS_DIR), then in `cache` (earlier downloads), then downloads into `cache`."""

    folder: Path | None
    cache: Path
    download: bool = True

    def find(self, card: NetworkCard) -> Path:
        """The weight file of a network; raises `WeightsMissing`."""
        weights = card.weights
        if weights is None:
            raise WeightsUnpublished(network=card.name)
        found = next(
            (path for path in self._candidates(weights) if path.is_file()), None
        )
        return found or self._fetch(card.name, weights)

    def has(self, card: NetworkCard) -> bool:
        """Whether the weight file is here already."""
        return card.weights is not None and any(
            path.is_file() for path in self._candidates(card.weights)
        )

    def _candidates(self, weights: WeightsSource) -> Iterator[Path]:
        """Every name in a folder before the next folder."""
        folders = [folder for folder in (self.folder, self.cache) if folder]
        return (folder / file for folder in folders for file in weights.files)

    def _fetch(self, network: str, weights: WeightsSource) -> Path:
        url = weights.url
        missing = partial(self._missing, network, weights)
        if not url:
            raise missing("no address is known from which it could be downloaded")
        if not self.download:
            raise missing(f"downloads (from {url}) are switched off")
        target = self.cache / weights.download_name
        try:
            download(weights, target)
        except (OSError, ValueError) as problem:
            raise missing(f"the download from {url} failed ({problem})") from problem
        return target

    def _missing(
        self, network: str, weights: WeightsSource, download: str
    ) -> WeightsMissing:
        return WeightsMissing(
            network=network,
            files=" or ".join(weights.files),
            folder=self.folder or "SERA_WEIGHTS_DIR, which is not set",
            download=download,
        )


def load_weights(module: nn.Module, file: Path, network: str) -> None:
    """Fill a network, random or `blank`, from a weight file, strictly and without running code from it.

    The file's ending says its format; raises `WeightsUnreadable` where it is not such a file or of another network.
    """
    try:
        module.load_state_dict(read_tensors(file, module), assign=True)
    except (OSError, RuntimeError, ValueError) as problem:
        sentence = " ".join(str(problem).split())[:MAX_PROBLEM_LENGTH]
        raise WeightsUnreadable(
            file=file.name, network=network, problem=sentence
        ) from problem


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and bytes of tensors, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}:{array.dtype}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
