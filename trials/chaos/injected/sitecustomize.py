"""Python loads this module in every process of a stack under trial.

A thread follows two files. SERA_CLOCK_FILE has the seconds by which the process's wall clock is
off, and SERA_DELAY_FILE those that it takes to open anything below the folder SERA_DELAYED_FOLDER.
A missing file means none. While the delay file is gone, whoever waits goes on.
"""

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import time_machine

CHECK_EVERY_S = 0.1
DELAYED_FOLDER = os.environ.get("SERA_DELAYED_FOLDER", "")
PAUSE = threading.Event()


def read_seconds(variable: str) -> float:
    """The number in the file that a variable names."""
    try:
        return float(Path(os.environ.get(variable, os.devnull)).read_text() or 0)
    except (OSError, ValueError):
        return 0.0


class Clock:
    """The wall clock of this process. Monotonic clocks stay right."""

    def __init__(self) -> None:
        self._shift_s = 0.0
        self._traveller: time_machine.Traveller | None = None

    def shift_to(self, shift_s: float) -> None:
        if shift_s == self._shift_s:
            return
        if self._traveller is None:
            import time_machine

            self._traveller = time_machine.travel(time.time(), tick=True).start()
        self._traveller.shift(shift_s - self._shift_s)
        self._shift_s = shift_s


def wait_to_open(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: before a file is opened, wait for as long as the delay lasts."""
    if event != "open" or not str(arguments[0]).startswith(DELAYED_FOLDER):
        return
    started = time.monotonic()
    while time.monotonic() - started < read_seconds("SERA_DELAY_FILE"):
        PAUSE.wait(CHECK_EVERY_S)


def follow(clock: Clock) -> None:
    while not PAUSE.wait(CHECK_EVERY_S):
        clock.shift_to(read_seconds("SERA_CLOCK_FILE"))


if DELAYED_FOLDER:
    sys.addaudithook(wait_to_open)
if "SERA_CLOCK_FILE" in os.environ:
    process_clock = Clock()
    process_clock.shift_to(read_seconds("SERA_CLOCK_FILE"))
    threading.Thread(target=follow, args=(process_clock,), daemon=True).start()
