from collections.abc import Callable
from pathlib import Path

import pytest

from shared.phantoms import draw
from shared.study.folder import LabelledFolder
from shared.study.results import Study
from tests.support.builders import encode
from tests.support.fabricated_study import study

OpenFolder = Callable[[str], LabelledFolder]


@pytest.fixture(scope="session")
def fabricated() -> Study:
    return study()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files by name: four phantoms, a mask of the first and an empty one."""
    phantoms = [draw(seed, size_px=96) for seed in range(4)]
    files = {
        f"{name}.png": encode(phantom.pixels)
        for name, phantom in zip("abcd", phantoms, strict=True)
    }
    return files | {
        "mask.png": encode(phantoms[0].mask * 255),
        "empty.png": encode(phantoms[0].mask * 0),
    }


@pytest.fixture
def open_folder(tmp_path: Path, pictures: dict[str, bytes]) -> OpenFolder:
    """Opens a folder with the pictures and that manifest."""
    for name, content in pictures.items():
        (tmp_path / name).write_bytes(content)

    def open_with(manifest: str) -> LabelledFolder:
        (tmp_path / "manifest.csv").write_text(manifest)
        return LabelledFolder.open(tmp_path)

    return open_with
