"""Only regular files are read, and only below the folder of the table that names them."""

import os
import socket
from pathlib import Path

import pytest

from shared.domain import regular_files
from shared.domain.datasets.manifest import read_manifest
from shared.domain.regular_files import FileUnreadable, read_file


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"picture")
    assert read_file(path) == b"picture"


def test_a_pipe_a_device_and_a_folder_are_refused_without_waiting(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(FileUnreadable):
            read_file(path)


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        with pytest.raises(FileUnreadable):
            read_file(tmp_path / "socket.png")


def test_a_file_over_the_cap_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(regular_files.MAX_FILE_BYTES + 1)
    with pytest.raises(FileUnreadable, match="larger than 1 GiB"):
        read_file(path)


def test_a_table_names_no_file_outside_of_its_folder(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    folder = tmp_path / "set"
    inner = folder / "inner"
    inner.mkdir(parents=True)
    for path in (folder / "a.png", inner / "b.png"):
        path.write_bytes(b"picture")
    (folder / "link.png").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    refused = ["../secret.png", str(secret), "link.png", "up/secret.png", "loop/a.png"]
    read = ["a.png", "inner/b.png", "inner/../a.png", "./a.png", "gone.png"]
    rows = "\n".join(f"{name},1" for name in (*refused, *read))
    (folder / "manifest.csv").write_text(f"image,malignant\n{rows}\n")
    manifest = read_manifest(folder)
    assert [row.name for row in manifest.refused] == refused
    assert {row.problem.code for row in manifest.refused} == {"row-file-outside"}
    assert [row.name for row in manifest.rows] == read


def test_a_folder_that_is_a_link_itself_is_read(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"picture")
    (folder / "manifest.csv").write_text("image,malignant\na.png,1\n")
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert [row.name for row in read_manifest(link).rows] == ["a.png"]
