"""Files that are costly to make and the same for every worker process of a run: the first that
needs one makes it.
"""

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


class RunCache:
    """A folder that the processes of one test run share."""

    folder: Path
    """Set by `tests/conftest.py` as pytest starts, so that it can be used while tests are
    collected.
    """

    @classmethod
    def path(cls, name: str, make: Callable[[Path], object]) -> Path:
        """The file or folder of this name; `make` is called with the path to create when there is
        none yet.
        """
        result = cls.folder / name
        with FileLock(cls.folder / f"{name}.lock"):
            if not result.exists():
                draft = cls.folder / f"{name}.draft"
                make(draft)
                draft.rename(result)
        return result
