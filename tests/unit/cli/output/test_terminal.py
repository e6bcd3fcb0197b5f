"""Nothing foreign reaches a terminal as a control character."""

import ast
import io
import json
import re
from pathlib import Path

import pytest
from rich.live import Live
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import cli
from cli.output.terminal import (
    Console,
    print_error,
    print_json,
    print_line,
    printable,
)
from shared.observability.logs import log
from tests.support.command import sera

FOLDER = Path(cli.__file__).parent
TERMINAL = FOLDER / "output" / "terminal.py"
ATTACKS = {
    "clear": "\x1b[2Jgone",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://bad\x1b\\here\x1b]8;;\x1b\\",
    "device": "\x1bP1$r\x1b\\",
    "csi-of-one-byte": "\x9b31mred",
    "osc-of-one-byte": "\x9d0;owned\x9c",
    "bell": "\x07",
    "backspace": "risk 90 %\x08\x08\x08\x0810 %",
    "overwrite": "malignant\rbenign   ",
    "form-feed": "a\x0cb",
    "delete": "\x7f",
    "bidi-override": "\u202egnp.exe",
    "bidi-isolate": "\u2066\u2069",
    "line-separator": "a\u2028b",
    "half-a-character": "\ud800",
}
OWN_SEQUENCES = re.compile(r"\x1b\[([0-9;]*m|\?25[lh]|[0-9]*[AK])|\r")
"""Colours, and what bars need: the cursor's visibility and place, and an empty line."""
HARMLESS = "결절 14.5 mm – Müller\tα\nsecond line"


def is_clean(text: str) -> bool:
    return printable(text) == text


def test_harmless_text_stays_as_it_is():
    assert printable(HARMLESS) == HARMLESS


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_every_way_of_printing_replaces_control_characters(attack, capsys):
    table = Table(attack, title=escape(attack))
    table.add_row(escape(attack))
    table.add_row(Text(attack, style="bold"))
    for options in ({}, {"stderr": True}):
        console = Console(**options)
        console.print(attack, markup=False)
        console.print(escape(attack), soft_wrap=True, highlight=False)
        console.print(table)
        console.print("\n".join([attack, "x"]), soft_wrap=True, markup=False)
    print_line(attack)
    print_error(attack)
    print_json({attack: [attack]})
    log().error("event", fact=attack)
    written = capsys.readouterr()
    assert written.out
    assert written.err
    assert is_clean(written.out)
    assert is_clean(written.err)
    assert json.loads(written.err.splitlines()[-1])["fact"] == attack


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_on_a_terminal_only_our_own_colours_and_bars_are_control_sequences(attack):
    output = _on_terminal(attack)
    assert attack not in output
    assert is_clean(OWN_SEQUENCES.sub("", output))


def _on_terminal(text: str) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="256", width=80)
    console.print(Text(text, style="bold"))
    console.print(f"[link=http://bad]{escape(text)}[/link]")
    with Progress(console=console, auto_refresh=False) as bars:
        bars.add_task(escape(text), total=2)
    with Live(Text(text), console=console, auto_refresh=False):
        pass
    return stream.getvalue()


def test_commands_print_nowhere_else():
    faults = []
    for path in sorted(FOLDER.rglob("*.py")):
        if path == TERMINAL:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if _prints(node):
                faults.append(f"{path.relative_to(FOLDER)}:{node.lineno}")
    assert faults == []


def _prints(node: ast.AST) -> bool:
    """Whether the code prints by other means than those of `cli/output/terminal.py`."""
    match node:
        case ast.Call(func=ast.Name(id="print")):
            return True
        case ast.Call(func=ast.Name(id="track" | "Progress" | "Live"), keywords=words):
            return "console" not in {word.arg for word in words}
        case ast.Attribute(value=ast.Name(id="typer"), attr="echo" | "secho"):
            return True
        case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"):
            return True
        case ast.ImportFrom(module="rich.console", names=names):
            return "Console" in {name.name for name in names}
        case ast.ImportFrom(module="rich", names=names):
            return bool({"print", "get_console"} & {name.name for name in names})
    return False


def test_an_argument_with_control_characters_is_refused(tmp_path):
    ended = sera("predict", "\x1b]0;owned\x07.png", env={}, folder=tmp_path)
    assert ended.returncode == 1
    assert "argument-unprintable" in ended.stderr
    assert is_clean(ended.stderr)


def test_an_unexpected_error_is_printed_without_control_characters(
    tmp_path, monkeypatch
):
    def fail(*args, **options):
        raise RuntimeError("\x1b[2J")

    monkeypatch.setattr("cli.app.app", fail)
    ended = sera("doctor", env={}, folder=tmp_path)
    assert ended.returncode == 1
    assert "RuntimeError" in ended.stderr
    assert is_clean(ended.stderr)
