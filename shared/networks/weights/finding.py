"""Finds pre-trained weights: in a folder, then among downloads, then by a new download."""

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
"""torch lists every tensor that does not fit. The first tensors are enough to see the cause."""


@dataclass(frozen=True)
class WeightsFinder:
    """Finds the weight files of networks.

    Attributes
    ----------
    folder : SERA_WEIGHTS_DIR, the first place
    cache : the folder of downloads, the second place; new downloads are put there
    download : whether new downloads are allowed
    """

    folder: Path | None
    cache: Path
    download: bool = True

    def find(self, card: NetworkCard) -> Path:
        """Find the weight file of a network. Raises `WeightsMissing`."""
        weights = card.weights
        if weights is None:
            raise WeightsUnpublished(network=card.name)
        for path in self._paths(weights):
            if path.is_file():
                return path
        return self._download(card.name, weights)

    def has(self, card: NetworkCard) -> bool:
        """Return whether the weight file exists on this machine."""
        return card.weights is not None and any(
            path.is_file() for path in self._paths(card.weights)
        )

    def _paths(self, weights: WeightsSource) -> Iterator[Path]:
        """Yield all possible paths: all names in the first folder, then all in the second."""
        folders = [folder for folder in (self.folder, self.cache) if folder]
        return (folder / file for folder in folders for file in weights.files)

    def _download(self, network: str, weights: WeightsSource) -> Path:
        url = weights.url
        missing = partial(self._missing, network, weights)
        if not url:
            raise missing("no address is known from which it could be downloaded")
        if not self.download:
            raise missing(f"downloads (from {url}) are switched off")
        target = self.cache / weights.download_name
        try:
            download(weights, target)
        except (OSError, ValueError) as error:
            raise missing(f"the download from {url} failed ({error})") from error
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
    """Load a weight file into a network, strictly and without running code from the file.

    Parameters
    ----------
    module : with random weights, or from `build_without_weights`
    file : its ending gives the format

    Raises
    ------
    WeightsUnreadable
        if the file does not have that format, or belongs to another network.
    """
    try:
        module.load_state_dict(read_tensors(file, module), assign=True)
    except (OSError, RuntimeError, ValueError) as error:
        sentence = " ".join(str(error).split())[:MAX_PROBLEM_LENGTH]
        raise WeightsUnreadable(
            file=file.name, network=network, problem=sentence
        ) from error


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and bytes of tensors, in any order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}:{array.dtype}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
