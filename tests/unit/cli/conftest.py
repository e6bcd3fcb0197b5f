import sys
from collections.abc import Callable

import pytest

from cli.app import main
from tests.support.command import command_words

Ran = tuple[int, str, str]


@pytest.fixture
def sera(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Runs a command; exit code, stdout and stderr.

    The first argument is split as a shell splits it.
    """

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["sera", *command_words(*arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return left.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def sera_done(sera: Callable[..., Ran]) -> Callable[..., str]:
    """Runs a command that has to succeed; its stdout."""

    def run(*arguments: object) -> str:
        code, stdout, err = sera(*arguments)
        assert code == 0, err
        return stdout

    return run
