import os
import stat
from pathlib import Path

import pytest

from deploy.local.errors import AlreadyRunning
from deploy.local.home import LONGEST_SOCKET, SOCKET_PATH_CAP, Home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_private(home: Home) -> None:
    assert mode(home.root) == mode(home.logs) == 0o700


def test_a_held_home_names_its_holder(home: Home) -> None:
    with (
        home.lock(),
        pytest.raises(AlreadyRunning, match=rf"process {os.getpid()} of user"),
        home.lock(),
    ):
        pass


def test_a_home_let_go_can_be_held_again(home: Home) -> None:
    with home.lock():
        pass
    with home.lock():
        assert str(os.getpid()) in (home.run / "lock").read_text()


def test_sockets_lie_in_the_home_where_their_paths_fit(tmp_path: Path) -> None:
    home = (
        Home(Path("/tmp") / f"s{os.getpid()}")
        if len(str(tmp_path)) > 60
        else Home(tmp_path)
    )
    home.make()
    with home.sockets() as sockets:
        assert sockets == home.run / "sockets"
    for folder in (home.run / "sockets", home.run, home.logs):
        folder.rmdir()
    home.root.rmdir()


@pytest.mark.parametrize("name", ["d" * 120, "with space", "comma,percent%", "ä"])
def test_sockets_move_to_a_short_private_folder_and_leave_it_clean(
    tmp_path: Path, name: str
) -> None:
    home = Home(tmp_path / name)
    home.make()
    with home.sockets() as sockets:
        assert not sockets.is_relative_to(home.root)
        assert len(f"{sockets}{LONGEST_SOCKET}") <= SOCKET_PATH_CAP
        assert mode(sockets) == 0o711
    assert not sockets.exists()
