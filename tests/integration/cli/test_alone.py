"""The commands where no stack runs, or something else answers: one sentence, exit code 1, never a
traceback.

They run in the test's own process, but for one.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import COMMANDS, app
from tests.support import command
from tests.support.command import Finished

ROOT = Path(__file__).parents[3]
Sera = Callable[..., Finished]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SERA_")
    }
    return variables | {"PYTHONPATH": str(ROOT), "SERA_HOME": str(tmp_path / "home")}


@pytest.fixture
def sera(env: dict[str, str], tmp_path: Path) -> Sera:
    def run(*arguments: str, **changed: str) -> Finished:
        return command.sera(*arguments, env=env | changed, folder=tmp_path)

    return run


@pytest.fixture
def image(tmp_path: Path) -> str:
    (tmp_path / "a.png").write_bytes(b"never looked at")
    (tmp_path / "manifest.csv").write_text("image,malignant\na.png,1\n")
    return str(tmp_path / "a.png")


def code(done: Finished | subprocess.CompletedProcess[str]) -> str:
    """The code at the end of the one line that an error is."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), (
        done.stdout + done.stderr
    )
    assert done.stderr.startswith("SERA: ")
    return done.stderr.strip().rpartition("[")[2].rstrip("]")


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "a.png", "--size-mm", "12"),
        (
            "outcome",
            "7f3f6c1e-6a55-4a33-9d1c-2f6f0f8d2a10",
            "--benign",
            "--source",
            "histology",
        ),
        ("dataset", "import", ".", "--name", "data"),
        ("train", "--dataset", "data", "--recipe", "starter"),
        ("models", "list"),
        ("monitor", "drift"),
        ("key", "create", "--hospital", "north"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_stack_the_command_says_how_to_start_one(
    sera: Sera, image: str, arguments: tuple[str, ...]
) -> None:
    done = sera(*arguments)
    assert code(done) == "stack-not-running"
    assert "./sera up" in done.stderr
    assert not (Path(image).parent / "home").exists()


def test_a_process_ends_with_the_same_sentence(
    env: dict[str, str], image: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "submit", image, "--size-mm", "12"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert code(done) == "stack-not-running"


def test_an_address_where_nobody_answers_is_named(sera: Sera, image: str) -> None:
    with socket.socket() as server:
        server.bind(
            ("127.0.0.1", 0)
        )  # bound, not listening: every connection is refused
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = sera(
            "submit", image, "--size-mm", "12", SERA_URL=url, SERA_KEY="sera_a_b"
        )
    assert code(done) == "api-unreachable"
    assert url in done.stderr


def test_an_address_that_is_none_is_named(sera: Sera, image: str) -> None:
    done = sera(
        "submit",
        image,
        "--size-mm",
        "12",
        SERA_URL="127.0.0.1:8000",
        SERA_KEY="sera_a_b",
    )
    assert code(done) == "api-unreachable"
    assert "127.0.0.1:8000" in done.stderr


@pytest.fixture(
    params=[
        (502, b"<html>Bad gateway</html>"),
        (200, b"<html>A page of another program</html>"),
    ]
)
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that is not SERA's."""
    status, body = request.param

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_that_is_not_seras_is_said_to_be_none(
    sera: Sera, image: str, stranger: str
) -> None:
    done = sera(
        "submit", image, "--size-mm", "12", SERA_URL=stranger, SERA_KEY="sera_a_b"
    )
    assert code(done) == "not-sera"
    assert stranger in done.stderr


def test_a_key_with_letters_that_no_key_has_is_refused(sera: Sera, image: str) -> None:
    done = sera(
        "submit",
        image,
        "--size-mm",
        "12",
        SERA_URL="http://127.0.0.1:1",
        SERA_KEY="schlüssel…",
    )
    assert code(done) == "key-unusable"


def test_an_roi_that_is_no_box_is_refused_before_anything_is_sent(
    sera: Sera, image: str
) -> None:
    done = sera("submit --size-mm 12 --roi 'a circle'", image)
    assert code(done) == "roi-argument-invalid"


@pytest.mark.parametrize("size", ["1_2", "about 12", "31 cm"])
def test_a_size_that_is_none_is_refused_before_anything_is_sent(
    sera: Sera, image: str, size: str
) -> None:
    done = sera("submit", image, "--size-mm", size)
    assert code(done) == "size-invalid"


def test_a_file_that_is_not_there_is_a_usage_error(sera: Sera) -> None:
    done = sera("submit", "gone.png", "--size-mm", "12")
    assert done.returncode == 2
    assert "gone.png" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], prog_name="./sera")
    assert done.exit_code == 0
    assert f"./sera {command}" in done.output
