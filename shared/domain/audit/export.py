"""The file of an exported audit trail: a JSON object a line.

First what it is of, then every event in its chain's order, then every seal, then how many there were of each: so a file
that was cut off is known by its missing end.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from shared.domain.audit.chain import EVENT_FORM, Link, Seal, parse_link, parse_seal
from shared.errors import SeraError

EXPORT = "export"
EVENT = "event"
SEAL = "seal"
END = "end"
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

Source = TypeVar("Source")
Parsed = TypeVar("Parsed")


class ExportUnreadable(SeraError):
    code = "export-unreadable"
    text = "Line {line} of {path} is not one of an exported audit trail. Export it again, or ask for the original file."


class ExportMissing(SeraError):
    code = "export-missing"
    text = "{path} cannot be read ({why}). Name a file that `./sera audit export` or GET /v1/audit/export made."


def export_lines(
    chain: str | None, links: Iterable[Link], seals: Sequence[Seal]
) -> Iterator[str]:
    """The file's lines; `of` is the one chain it holds, None for all. The seals must be read before the events are."""
    yield _line(EXPORT, {"form": EVENT_FORM, "of": chain})
    count = 0
    for count, link in enumerate(links, start=1):  # noqa: B007 (told at the end)
        yield _line(EVENT, vars(link))
    yield from (_line(SEAL, vars(seal)) for seal in seals)
    yield _line(END, {"events": count, "seals": len(seals)})


class AuditExport:
    """An exported file, read as often as it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def links(self) -> Iterator[Link]:
        """Raises ExportUnreadable or ExportMissing."""
        for number, told in self._lines():
            if told["kind"] == EVENT:
                yield self._read(number, parse_link, told)

    def seals(self) -> list[Seal]:
        return [
            self._read(number, parse_seal, told)
            for number, told in self._lines()
            if told["kind"] == SEAL
        ]

    def is_complete(self) -> bool:
        """Whether it ends as it should, with as many events and seals as it says."""
        counts = {EXPORT: 0, EVENT: 0, SEAL: 0, END: 0}
        last: dict[str, Any] = {}
        for _, last in self._lines():
            counts[last["kind"]] += 1
        told = (last.get("events"), last.get("seals"))
        return (counts[EXPORT], counts[END], last.get("kind"), *told) == (
            1,
            1,
            END,
            counts[EVENT],
            counts[SEAL],
        )

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            with self._path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    yield number, self._read(number, _parsed, line)
        except OSError as error:
            raise ExportMissing(path=self._path, why=error.strerror) from error
        except UnicodeDecodeError as error:
            raise ExportMissing(path=self._path, why="it is no text") from error

    def _read(
        self, number: int, read: Callable[[Source], Parsed], record: Source
    ) -> Parsed:
        try:
            return read(record)
        except UNREADABLE as error:
            raise ExportUnreadable(line=number, path=self._path) from error


def _parsed(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)
    if record["kind"] not in (EXPORT, EVENT, SEAL, END):
        raise ValueError(record["kind"])
    return record


def _line(kind: str, told: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, **told}, ensure_ascii=False) + "\n"
