"""A manifest's rows, one by one into a dataset."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from cli.connection import Api, ApiProblem
from shared.errors import InputError
from shared.manifest import Row

AT_ONCE = 4


class RowUnusable(InputError):
    code = "row-unusable"
    text = "{problem}. Correct it and import the folder again; rows that are there already are passed over."


Refusal = ApiProblem | RowUnusable


def add_all(api: Api, dataset: str, rows: Sequence[Row]) -> Iterator[tuple[Row, bool | Refusal]]:
    """Add rows a few at a time; yields for each whether it was new, or why it was refused."""

    def add(row: Row) -> tuple[Row, bool | Refusal]:
        try:
            return row, _add(api, dataset, row)
        except (ApiProblem, RowUnusable) as refusal:
            return row, refusal

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(add, rows)


def _add(api: Api, dataset: str, row: Row) -> bool:
    with ExitStack() as opened:
        sources = {"image": row.image} | ({"mask": row.mask} if row.mask else {})
        files = {name: (path.name, opened.enter_context(_opened(path))) for name, path in sources.items()}
        data = {"malignant": row.malignant, **row.fields}
        return api.post(f"/v1/datasets/{dataset}/images", data=data, files=files)["added"]


def _opened(path: Path) -> BinaryIO:
    if path.is_dir():
        raise RowUnusable(problem="It names no image")
    try:
        return path.open("rb")
    except OSError as error:
        raise RowUnusable(problem=f"{path.name} cannot be opened ({error.strerror})") from error
