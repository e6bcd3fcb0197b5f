"""The file of an exported audit trail: one JSON object a line.

The first line names the exported chain. Then come all events in the order of their chains, then all
seals, then the seals of all chains if the file has all chains, and finally a line with the numbers
of these. A truncated file lacks this line.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from shared.domain.audit.chain import EVENT_FORM, Link, Seal, parse_link, parse_seal
from shared.domain.audit.series import SeriesSeal
from shared.errors import SeraError

EXPORT = "export"
EVENT = "event"
SEAL = "seal"
SERIES = "series"
END = "end"
PARSE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

Record = TypeVar("Record")
Parsed = TypeVar("Parsed")


class ExportUnreadable(SeraError):
    code = "export-unreadable"
    text = (
        "Line {line} of {path} is not one of an exported audit trail. "
        "Export it again, or ask for the original file."
    )


class ExportMissing(SeraError):
    code = "export-missing"
    text = (
        "{path} cannot be read ({why}). "
        "Name a file that `./sera audit export` or GET /v1/audit/export made."
    )


def export_lines(
    chain: str | None,
    links: Iterable[Link],
    seals: Sequence[Seal],
    series: Sequence[SeriesSeal] = (),
) -> Iterator[str]:
    """Yield the lines of the file; `chain` is the only chain in it, None means all chains.

    The seals must be read before the events, so that the event of every seal is in the file.
    """
    yield _json_line(EXPORT, {"form": EVENT_FORM, "of": chain})
    event_count = 0
    for link in links:
        yield _json_line(EVENT, vars(link))
        event_count += 1
    for seal in seals:
        yield _json_line(SEAL, vars(seal))
    for series_seal in series:
        yield _json_line(SERIES, series_seal.to_json())
    counts = {"events": event_count, "seals": len(seals), "series": len(series)}
    yield _json_line(END, counts)


class AuditExport:
    """An exported file. Every method reads the file again.

    All methods raise ExportUnreadable or ExportMissing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def links(self) -> Iterator[Link]:
        for line_number, record in self._records():
            if record["kind"] == EVENT:
                yield self._parse(line_number, parse_link, record)

    def seals(self) -> list[Seal]:
        return [
            self._parse(line_number, parse_seal, record)
            for line_number, record in self._records()
            if record["kind"] == SEAL
        ]

    def series(self) -> list[SeriesSeal]:
        """The seals of all chains; none in a file of before the schema r0003."""
        return [
            self._parse(line_number, SeriesSeal.from_json, record)
            for line_number, record in self._records()
            if record["kind"] == SERIES
        ]

    def is_complete(self) -> bool:
        """Whether the last line exists and has the right numbers of events and seals."""
        counts = {EXPORT: 0, EVENT: 0, SEAL: 0, SERIES: 0, END: 0}
        last_record: dict[str, Any] = {}
        for _, record in self._records():
            counts[record["kind"]] += 1
            last_record = record
        return (
            counts[EXPORT] == 1
            and counts[END] == 1
            and last_record.get("kind") == END
            and last_record.get("events") == counts[EVENT]
            and last_record.get("seals") == counts[SEAL]
            and last_record.get("series", 0) == counts[SERIES]
        )

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The JSON objects of the file with their line numbers."""
        try:
            with self._path.open(encoding="utf-8") as lines:
                for line_number, line in enumerate(lines, start=1):
                    yield line_number, self._parse(line_number, _parse_line, line)
        except OSError as error:
            raise ExportMissing(path=self._path, why=error.strerror) from error
        except UnicodeDecodeError as error:
            raise ExportMissing(path=self._path, why="it is no text") from error

    def _parse(
        self, line_number: int, parse: Callable[[Record], Parsed], record: Record
    ) -> Parsed:
        try:
            return parse(record)
        except PARSE_ERRORS as error:
            raise ExportUnreadable(line=line_number, path=self._path) from error


def _parse_line(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)
    if record["kind"] not in (EXPORT, EVENT, SEAL, SERIES, END):
        raise ValueError(record["kind"])
    return record


def _json_line(kind: str, members: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, **members}, ensure_ascii=False) + "\n"
