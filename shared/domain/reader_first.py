"""A hospital's wish that people enter their own suspicion level before SERA's answer is shown."""

from enum import StrEnum


class ReaderFirst(StrEnum):
    ON = "on"
    OFF = "off"


DEFAULT_READER_FIRST = ReaderFirst.OFF
