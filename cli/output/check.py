"""The result of one check of `./sera doctor`."""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


class Finding(NamedTuple):
    verdict: Verdict
    detail: str
    """A description, with the next step if one is needed."""


def ok(detail: str) -> Finding:
    return Finding(Verdict.OK, detail)


def note(detail: str) -> Finding:
    return Finding(Verdict.NOTE, detail)


def fail(detail: str) -> Finding:
    return Finding(Verdict.FAIL, detail)
