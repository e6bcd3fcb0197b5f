"""Finding pre-trained weights: a folder first, then a download, else a plain word on what is missing."""

import hashlib
import os
import pickle
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from shared.networks.card import Card
from shared.networks.errors import WeightsMissing, WeightsUnreadable

DOWNLOAD_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class WeightsFinder:
    """Looks in `folder` (SERA_WEIGHTS_DIR), then in `cache` (earlier downloads), then downloads into `cache`."""

    folder: Path | None
    cache: Path
    download: bool = True

    def find(self, card: Card) -> Path:
        """The weight file of a network; raises `WeightsMissing`."""
        folders = [folder for folder in (self.folder, self.cache) if folder]
        candidates = [folder / file for folder in folders for file in card.weights.files]
        return next((path for path in candidates if path.is_file()), None) or self._fetch(card)

    def _fetch(self, card: Card) -> Path:
        if not self.download:
            raise self._missing(card, "downloads are switched off")
        target = self.cache / card.weights.files[0]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(card.weights.url, target)
        except (OSError, ValueError) as problem:
            raise self._missing(card, problem) from problem
        return target

    def _missing(self, card: Card, problem: object) -> WeightsMissing:
        return WeightsMissing(
            network=card.name,
            files=" or ".join(card.weights.files),
            folder=self.folder or "SERA_WEIGHTS_DIR, which is not set",
            url=card.weights.url,
            problem=problem,
        )


def load_weights(module: nn.Module, file: Path, network: str) -> None:
    """Fill a network from a state dict file, strictly and without unpickling objects; raises `WeightsUnreadable`."""
    try:
        module.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except (RuntimeError, OSError, ValueError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as problem:
        raise WeightsUnreadable(file=file.name, network=network, problem=str(problem).splitlines()[0]) from problem


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and bytes of tensors, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}:{array.dtype}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _download(url: str, target: Path) -> None:
    """Fetch to a neighbour, check the hash torchvision puts into its file names, then rename into place."""
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        try:
            _copy(url, Path(part.name))
            os.replace(part.name, target)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _copy(url: str, part: Path) -> None:
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer, part.open("wb") as file:
        while block := answer.read(1 << 20):
            digest.update(block)
            file.write(block)
    stem = url.rsplit("/", 1)[-1].removesuffix(".pth")
    named_hash = stem.rsplit("-", 1)[1] if "-" in stem else ""
    if not digest.hexdigest().startswith(named_hash):
        raise ValueError("the file's hash is not the one in its name")
