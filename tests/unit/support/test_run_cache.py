"""What is costly is made once in a run, by whoever is first."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.run_cache import RunCache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(RunCache, "folder", tmp_path)
    return tmp_path


def test_many_who_need_it_at_once_get_what_one_made(folder):
    made = []

    def make(path):
        made.append(path)
        path.write_text("costly")

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: RunCache.path("model", make), range(8)))
    assert set(paths) == {folder / "model"}
    assert len(made) == 1


def test_what_failed_half_way_is_not_taken_for_made(folder):
    def fail(path):
        path.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        RunCache.path("model", fail)
    assert (
        RunCache.path("model", lambda path: path.write_text("whole")).read_text()
        == "whole"
    )
