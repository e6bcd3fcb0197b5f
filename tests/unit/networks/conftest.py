"""Files in the formats that weights come in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

Layer = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def write_mat() -> Callable[..., None]:
    """Write a MatConvNet file as of beta 17 (`weights`) or before (`filters` and `biases`)."""

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
        made = np.empty((1, len(items)), object)
        made[0, :] = items
        return made

    return write


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of hundreds of megabytes: emptied as soon as the test is over."""
    yield tmp_path
    for file in tmp_path.iterdir():
        file.unlink()
