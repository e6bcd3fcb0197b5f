from dataclasses import replace
from pathlib import Path

import pytest
import typer

from cli.commands import audit
from shared.domain.audit.export import export_lines
from tests.unit.domain.audit.test_verification import LINKS, SEALS


def test_an_exported_file_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trail.jsonl"
    links = [replace(link, chain="house\x1b[2J\x07") for link in LINKS]
    seals = [replace(seal, key="\x9b1m", at="\x1b]52;c;eA==\x07") for seal in SEALS]
    path.write_text("".join(export_lines(None, links, seals)))
    with pytest.raises(typer.Exit):
        audit.verify(file=path, public_key=None, against=None, witness=None)
    output = capsys.readouterr().out
    assert "house" in output
    assert output.replace("\n", "").isprintable()
