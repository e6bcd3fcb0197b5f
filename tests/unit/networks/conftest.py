"""Fixtures that write weight files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

Layer = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def write_mat() -> Callable[..., None]:
    """A function that writes MatConvNet files.

    With `old`, they have `filters` and `biases` as before beta 17, else `weights`.
    """

    def write(
        file: Path, layers: list[Layer], old: bool = False, under_net: bool = False
    ) -> None:
        structs = []
        for number, (filters, biases) in enumerate(layers, 1):
            fields = (
                {"filters": filters, "biases": biases}
                if old
                else {"weights": cell([filters, biases])}
            )
            structs += [
                {"type": "conv", "name": f"conv{number}", "stride": 1.0, **fields}
            ]
            structs += [{"type": "relu", "name": f"relu{number}"}]
        contents = {"layers": cell(structs)}
        savemat(file, {"net": contents} if under_net else contents)

    def cell(items: list) -> np.ndarray:
        cells = np.empty((1, len(items)), object)
        cells[0, :] = items
        return cells

    return write


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of hundreds of megabytes; it is emptied right after the test."""
    yield tmp_path
    for file in tmp_path.iterdir():
        file.unlink()
