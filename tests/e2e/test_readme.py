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
    "./sera chaos --cases 100": ("tests/e2e/test_chaos.py", '"chaos", "--cases"'),
    "./sera chaos --cases 500": ("tests/e2e/test_chaos.py", '"chaos", "--cases"'),
    "./sera train --dataset NAME --recipe light": (
        "tests/e2e/test_command_line.py",
        '"train", "--dataset"',
    ),
    "./sera study FOLDER --recipe light --out DIR": (
        "tests/unit/cli/test_study.py",
        'sera_done("study", phantoms',
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
    "./sera restore FOLDER": (
        "tests/e2e/test_restore.py",
        '"restore", str(story.place)',
    ),
    "./sera load --hospitals 50 --rate 3 --minutes 30": (
        "tests/e2e/test_load.py",
        '"load"',
    ),
}
"""What takes long, or starts or changes what others share: the file whose test does it, and words
of that test.
"""


def blocks() -> list[str]:
    """Commands of the fenced blocks: a line each, with those that it is continued on."""
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
    spans = [
        item
        for item in SPANS.findall(FENCED.sub("", README))
        if SERA_COMMAND.match(item)
    ]
    return list(dict.fromkeys(blocks() + spans))


def words(command: str) -> list[str]:
    """What `./sera` is told, without the variables before it."""
    return shlex.split(command[SERA_COMMAND.match(command).end() :])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's scratch folder, with an image and labelled ones in it."""
    result = tmp_path_factory.mktemp("readme")
    Image.fromarray(draw(1).pixels).save(result / "nodule.png")
    (result / "labelled").mkdir()
    lines = ["image,malignant,patient"]
    for seed in range(10):
        (result / "labelled" / f"{seed}.png").write_bytes(
            png(900 + seed, malignant=seed % 2 == 0)
        )
        lines.append(f"{seed}.png,{int(seed % 2 == 0)},{seed}")
    (result / "labelled" / "manifest.csv").write_text("\n".join(lines))
    return result


@pytest.fixture
def desk(stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder is where commands are typed, beside a stack that runs."""
    for name in [name for name in os.environ if name.startswith("SERA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SERA_HOME", str(stage.stack.home.root))
    monkeypatch.setenv("SERA_PORT", str(stage.stack.port))
    monkeypatch.chdir(folder)
    stage.hospital("readme")
    return folder


def with_own_values(command: str, desk: Path, bundle: Path, stage: Stage) -> list[str]:
    """The command's words, with one's own things for what stands in the README for them."""
    placeholders = {
        "FOLDER": str(desk / "labelled"),
        "NAME": "readme",
        "NORTH": "readme",
        "light": "first",
    }
    placeholders |= {"IMAGE...": "nodule.png", "DIR/bundle": str(bundle)}
    if "CASE" in words(command):
        placeholders["CASE"] = stage.hospital(LOCAL_HOSPITAL).read(png(len(command)))[
            "case_id"
        ]
    return [placeholders.get(argument, argument) for argument in words(command)]


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Exit code of a command in this very process, which has imported already what it needs."""
    monkeypatch.setattr(sys, "argv", ["sera", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code or 0


def assert_understood(arguments: list[str]) -> None:
    """Raises a usage error unless the command line knows the command, its arguments and its
    options.
    """
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
    assert set(TESTED_ELSEWHERE) <= set(commands()), "what the README no longer says"
    for path, text in TESTED_ELSEWHERE.values():
        assert text in (ROOT / path).read_text()
    strange = [
        item
        for item in blocks()
        if not SERA_COMMAND.match(item)
        and not item.startswith("curl ")
        and item not in TESTED_ELSEWHERE
    ]
    assert strange == [], (
        "a new kind of command: do it here, or name in TRIED the test that does"
    )


@pytest.mark.parametrize(
    "command", [command for command in commands() if SERA_COMMAND.match(command)]
)
def test_the_command_line_understands(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    placeholders = {"FOLDER": "labelled", "CASE": str(uuid4())}
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
    command: str, desk: Path, first_bundle: Path, stage: Stage, monkeypatch, capsys
) -> None:
    result = with_own_values(command, desk, first_bundle, stage)
    assert run(result, monkeypatch) == 0, capsys.readouterr().err
    assert capsys.readouterr().out
    if "--consent" in result:  # other tests count the outcomes that may be learned from
        assert (
            run(
                [argument for argument in result if argument != "--consent"],
                monkeypatch,
            )
            == 0
        )


@pytest.mark.parametrize(
    "command", [item for item in blocks() if item.startswith("curl ")]
)
def test_the_request_is_taken(command: str, stage: Stage, desk: Path) -> None:
    key = create_key(stage.settings, Role.SUBMITTER, "readme", "test")
    line = command.replace("http://127.0.0.1:8000", stage.stack.url)
    found = (
        f"uuidgen() {{ cat /proc/sys/kernel/random/uuid; }}; {line}"
        if shutil.which("uuidgen") is None
        else line
    )
    done = subprocess.run(
        ["bash", "-c", found],
        env=os.environ | {"KEY": key},
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["job_id"], done.stderr
