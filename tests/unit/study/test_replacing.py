from pathlib import Path

import pytest

from shared.study import replacing
from shared.study.replacing import replace_folder


def folder(path: Path, content: str) -> Path:
    (path / "networks").mkdir(parents=True)
    (path / "manifest.json").write_text(content)
    return path


def refuse(first: Path, second: Path) -> None:
    raise OSError("no exchange here")


@pytest.mark.parametrize(
    "exchange", [replacing.exchange_names, refuse], ids=["in one step", "in two steps"]
)
def test_a_folder_takes_the_place_of_another(tmp_path: Path, monkeypatch, exchange):
    monkeypatch.setattr(replacing, "exchange_names", exchange)
    target = tmp_path / "bundle"
    replace_folder(folder(tmp_path / "first", "old"), target)
    replace_folder(folder(tmp_path / "second", "new"), target)
    assert (target / "manifest.json").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_two_folders_exchange_their_names_in_one_step(tmp_path: Path):
    first = folder(tmp_path / "first", "1")
    second = folder(tmp_path / "second", "2")
    try:
        replacing.exchange_names(first, second)
    except OSError as error:
        pytest.skip(f"this file system cannot exchange names ({error})")
    assert [(path / "manifest.json").read_text() for path in (first, second)] == [
        "2",
        "1",
    ]
