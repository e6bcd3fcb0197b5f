"""What `./sera doctor` says of each thing it looks at."""

from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


Finding = tuple[Verdict, str]
"""A verdict, and what was found, with the next step where one is due."""
