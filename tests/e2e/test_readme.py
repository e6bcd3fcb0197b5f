"""What the README tells people to type, typed: in the scratch folder of somebody beside a running
stack.

Each command is done here, or named in TRIED with the test that does it. A new one that is neither
fails, and so does one that the command line does not understand.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from typer.core import TyperGroup
from typer.main import get_command

from cli.app import app, main
from cli.connection import LOCAL_HOSPITAL, create_key
from shared.domain.roles import Role
from shared.phantoms import draw
from tests.e2e.stage import ROOT, Stage
from tests.support.builders import png

README = (ROOT / "README.md").read_text()
SHELL = re.compile(
    r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.DOTALL | re.MULTILINE
)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
SPANS = re.compile(r"`([^`\n]+)`")
SERA_COMMAND = re.compile(r"(?:SERA_\w+=\S+ )*\./sera ")
TESTED_ELSEWHERE = {
    "./sera demo --once": ("tests/e2e/test_another_home.py", '"demo --once"'),
    "./sera demo": ("tests/e2e/test_another_home.py", '"demo --once"'),
    "./sera up": ("tests/e2e/test_another_home.py", 'command("up")'),
    "SERA_TRAINERS=2 ./sera up": (
        "tests/unit/deploy/test_services.py",
        "with_trainers(SERVICES, 2)",
    ),
    "./sera test": ("tests/unit/deploy/test_launcher.py", 'ready.sera("test")'),
    "./sera chaos --cases 100": ("tests/e2e/test_chaos.py", 'f"chaos --cases '),
    "./sera chaos --cases 500": ("tests/e2e/test_chaos.py", 'f"chaos --cases '),
    "./sera train --dataset NAME --recipe light": (
        "tests/e2e/test_command_line.py",
        '"train", "--dataset"',
    ),
    "./sera study FOLDER... --recipe light --out DIR": (
        "tests/unit/cli/test_study.py",
        "test_two_folders_are_two_sites_each_judged_by_the_other",
    ),
    "./sera models promote light": (
        "tests/e2e/test_the_life_of_a_model.py",
        'f"models promote ',
    ),
    "./sera models rollback": (
        "tests/e2e/test_the_life_of_a_model.py",
        '"models", "rollback"',
    ),
    "./sera models shadow --status": (
        "tests/e2e/test_the_life_of_a_model.py",
        '"--status"',
    ),
    "./sera card light --html card.html": (
        "tests/unit/cli/test_card.py",
        'sera("card", folder',
    ),
    "./sera models shadow light": (
        "tests/e2e/test_the_life_of_a_model.py",
        '"models", "shadow"',
    ),
    "cp .env.example .env && docker compose up -d": (
        "deploy/docker/verify.sh",
        "compose up -d",
    ),
    "docker compose run --rm operator": (
        "deploy/docker/verify.sh",
        "compose run --rm operator",
    ),
    "docker compose exec api sera key create --hospital NORTH": (
        "deploy/docker/verify.sh",
        "compose exec -T api sera key create --hospital NORTH",
    ),
    "./sera backup FOLDER": ("tests/e2e/test_restore.py", '"backup", str(story.place)'),
    "./sera backup verify FOLDER": (
        "tests/integration/cli/test_backup.py",
        'run("backup", "verify", backups)',
    ),
    "./sera audit key": ("tests/integration/cli/test_backup.py", 'run("audit", "key")'),
    "./sera restore FOLDER --trusted KEY": (
        "tests/e2e/test_restore.py",
        '"restore", str(story.place)',
    ),
    "./sera load --hospitals 50 --rate 3 --minutes 30": (
        "tests/e2e/test_load.py",
        '"load"',
    ),
}
"""Commands that take long or change what other tests share: the file that tests them, and a part of
its text.
"""


def blocks() -> list[str]:
    """The commands of the fenced blocks, each joined to one line."""
    lines = [
        line
        for block in SHELL.findall(README)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    bare = [re.sub(r"\s+#\s.*", "", line).strip() for line in lines]
    return [line for line in bare if line and not line.startswith("#")]


def commands() -> list[str]:
    """Every command once: those of the blocks, and each `./sera ...` within a
    sentence or a table.
    """
    text = FENCED.sub("", README)
    spans = [span for span in SPANS.findall(text) if SERA_COMMAND.match(span)]
    return list(dict.fromkeys(blocks() + spans))


def words(command: str) -> list[str]:
    """The arguments of `./sera`, without the variables before it."""
    return shlex.split(command[SERA_COMMAND.match(command).end() :])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image and a labelled data set."""
    path = tmp_path_factory.mktemp("readme")
    Image.fromarray(draw(1).pixels).save(path / "nodule.png")
    (path / "labelled").mkdir()
    lines = ["image,malignant,patient"]
    for seed in range(10):
        (path / "labelled" / f"{seed}.png").write_bytes(
            png(900 + seed, malignant=seed % 2 == 0)
        )
        lines.append(f"{seed}.png,{int(seed % 2 == 0)},{seed}")
    (path / "labelled" / "manifest.csv").write_text("\n".join(lines))
    return path


@pytest.fixture
def workplace(stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as working directory, with the environment of the running stack."""
    for name in [name for name in os.environ if name.startswith("SERA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SERA_HOME", str(stage.stack.home.root))
    monkeypatch.setenv("SERA_PORT", str(stage.stack.port))
    monkeypatch.chdir(folder)
    stage.hospital("readme")
    return folder


def fill_placeholders(
    command: str, workplace: Path, bundle: Path, stage: Stage
) -> list[str]:
    """The words of the command, with real values for the placeholders of the README."""
    placeholders = {
        "FOLDER": str(workplace / "labelled"),
        "NAME": "readme",
        "NORTH": "readme",
        "light": "first",
    }
    placeholders |= {"IMAGE...": "nodule.png", "DIR/bundle": str(bundle)}
    if "CASE" in words(command):
        job = stage.hospital(LOCAL_HOSPITAL).read(png(len(command)))
        placeholders["CASE"] = job["case_id"]
    return [placeholders.get(argument, argument) for argument in words(command)]


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command that runs in this process."""
    monkeypatch.setattr(sys, "argv", ["sera", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code or 0


def assert_understood(arguments: list[str]) -> None:
    """Raise a usage error if the command line does not know the command or its arguments."""
    command = get_command(app)
    name = "sera"
    while isinstance(command, TyperGroup):
        context = command.make_context(name, list(arguments))
        name, command, arguments = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
    command.make_context(name, list(arguments))


def test_the_readme_names_commands_that_a_test_tries():
    assert len(blocks()) >= 3
    assert set(TESTED_ELSEWHERE) <= set(commands()), (
        "commands that are not in the README"
    )
    for path, text in TESTED_ELSEWHERE.values():
        assert text in (ROOT / path).read_text()
    untested = [
        command
        for command in blocks()
        if not SERA_COMMAND.match(command)
        and not command.startswith("curl ")
        and command not in TESTED_ELSEWHERE
    ]
    assert untested == [], (
        "a new kind of command: test it here, or name its test in TESTED_ELSEWHERE"
    )


@pytest.mark.parametrize(
    "command", [command for command in commands() if SERA_COMMAND.match(command)]
)
def test_the_command_line_understands(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    placeholders = {
        "FOLDER": "labelled",
        "FOLDER...": "labelled",
        "CASE": str(uuid4()),
    }
    assert_understood(
        [placeholders.get(argument, argument) for argument in words(command)]
    )


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in commands()
        if SERA_COMMAND.match(command) and command not in TESTED_ELSEWHERE
    ],
)
def test_the_command_does_it(
    command: str, workplace: Path, first_bundle: Path, stage: Stage, monkeypatch, capsys
) -> None:
    arguments = fill_placeholders(command, workplace, first_bundle, stage)
    assert run(arguments, monkeypatch) == 0, capsys.readouterr().err
    assert capsys.readouterr().out
    if "--consent" in arguments:
        # Other tests count the outcomes with consent, so this one is withdrawn again.
        arguments.remove("--consent")
        assert run(arguments, monkeypatch) == 0


@pytest.mark.parametrize(
    "command", [command for command in blocks() if command.startswith("curl ")]
)
def test_the_request_is_accepted(command: str, stage: Stage, workplace: Path) -> None:
    key = create_key(stage.settings, Role.SUBMITTER, "readme", "test")
    script = command.replace("http://127.0.0.1:8000", stage.stack.url)
    if shutil.which("uuidgen") is None:
        script = f"uuidgen() {{ cat /proc/sys/kernel/random/uuid; }}; {script}"
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"KEY": key},
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["job_id"], done.stderr
