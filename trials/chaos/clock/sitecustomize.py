"""Python loads this module in every process of a stack under trial.

It shifts the process's wall clock by the seconds in the file that SERA_CLOCK_FILE names.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path


def _shift_s() -> float:
    shift_file = Path(os.environ.get("SERA_CLOCK_FILE", os.devnull))
    return float(shift_file.read_text() or 0) if shift_file.is_file() else 0.0


if shift_s := _shift_s():
    import time_machine

    time_machine.travel(
        datetime.now(UTC) + timedelta(seconds=shift_s), tick=True
    ).start()
