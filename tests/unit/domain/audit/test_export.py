import json

import pytest

from shared.domain.audit.export import (
    AuditExport,
    ExportMissing,
    ExportUnreadable,
    export_lines,
)
from tests.unit.domain.audit.test_verification import LINKS, SEALS


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "trail.jsonl"
    path.write_text("".join(export_lines(None, LINKS, SEALS)))
    return path


def test_what_was_exported_is_read_back(file):
    exported = AuditExport(file)
    assert list(exported.links()) == LINKS
    assert exported.seals() == SEALS
    assert exported.is_complete()


def test_an_empty_trail_is_complete_too(tmp_path):
    path = tmp_path / "empty"
    path.write_text("".join(export_lines("north", [], [])))
    assert AuditExport(path).is_complete()


@pytest.mark.parametrize(
    "line_count", [slice(0, -1), slice(0, 5), slice(1, None), slice(0, 0)]
)
def test_a_file_that_was_cut_is_not_complete(file, line_count):
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[line_count]))
    assert not AuditExport(file).is_complete()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no JSON",
        "[]",
        "3",
        "{}",
        '{"kind": "other"}',
        '{"kind": "event"}',
        '{"kind": "seal", "seal": 1}',
        "[" * 9999,
    ],
)
def test_a_line_that_is_none_is_named(file, line):
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ExportUnreadable, match="Line 29 of"):
        (list(AuditExport(file).links()), AuditExport(file).seals())


@pytest.mark.parametrize(
    ("name", "value"),
    [("number", "1"), ("number", True), ("number", 1.0), ("actor", None)],
)
def test_an_event_of_other_types_is_refused(file, name, value):
    event = {"kind": "event", **vars(LINKS[0]), name: value}
    file.write_text(json.dumps(event))
    with pytest.raises(ExportUnreadable):
        list(AuditExport(file).links())


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    with pytest.raises(ExportMissing, match="No such file"):
        AuditExport(tmp_path / "none").is_complete()
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ExportMissing, match="it is no text"):
        AuditExport(tmp_path / "picture").is_complete()
