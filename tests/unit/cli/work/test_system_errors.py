"""What the system says of a place becomes a sentence with the place and the next step."""

import errno
import os

import pytest

from cli.work import system_errors
from cli.work.system_errors import named_error


def raised(action):
    with pytest.raises(OSError) as caught:  # noqa: PT011 (each action raises another one)
        action()
    return caught.value


def write_to_full_device():
    with open("/dev/full", "w") as file:
        file.write("x")


def test_a_place_in_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    error = raised((tmp_path / "file" / "home").mkdir)
    named = named_error(error)
    assert named.code == "place-unusable"
    assert str(tmp_path / "file" / "home") in str(named)
    assert "SERA_HOME" in str(named)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_closed_place_is_named_with_the_reason(number):
    error = OSError(number, os.strerror(number), "/data/run")
    assert str(named_error(error)).startswith(
        f"/data/run cannot be used ({os.strerror(number)})"
    )


def test_a_write_to_a_full_disk_names_the_places_without_space(monkeypatch, tmp_path):
    monkeypatch.setattr(system_errors, "NEARLY_FULL_BYTES", 1 << 62)
    monkeypatch.setenv("SERA_HOME", str(tmp_path / "home"))
    named = named_error(raised(write_to_full_device))
    assert named.code == "disk-full"
    assert str(tmp_path / "home") in str(named)


def test_a_full_disk_is_recognised_behind_the_error_of_a_library(monkeypatch):
    monkeypatch.setattr(system_errors, "NEARLY_FULL_BYTES", 0)
    error = RuntimeError("cannot save")
    error.__cause__ = raised(write_to_full_device)
    assert "at SERA_HOME or TMPDIR" in str(named_error(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a fault of ours"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
        PermissionError(errno.EPERM, "Operation not permitted"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    ],
)
def test_another_fault_keeps_its_traceback(error):
    assert named_error(error) is None


def test_a_home_that_is_no_folder_is_one_sentence(sera, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SERA_HOME", str(tmp_path / "file"))
    code, _, error = sera("up")
    assert code == 1
    assert error.startswith(f"SERA: {tmp_path / 'file'} cannot be used (File exists).")
    assert "Traceback" not in error
