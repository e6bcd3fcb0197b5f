"""A finished study's bundle in the place of an earlier one."""

import ctypes
import os
import shutil
import tempfile
from pathlib import Path

from shared.bundles import save
from shared.learning import FittedModel
from shared.study.errors import OutputUnwritable

AT_FDCWD = -100
RENAME_EXCHANGE = 2


def save_bundle(model: FittedModel, folder: Path, *, synthetic: bool) -> str:
    """Save a bundle where there may be one already; returns its digest. At any moment there is the old or the new one.

    Raises
    ------
    OutputUnwritable
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".new-", dir=folder.parent, ignore_cleanup_errors=True
        ) as beside:
            made = Path(beside) / folder.name
            digest = save(model, made, synthetic=synthetic)
            replace_folder(made, folder)
    except OSError as error:
        raise OutputUnwritable(path=folder, problem=error.strerror) from error
    return digest


def replace_folder(new_folder: Path, target: Path) -> None:
    """Put a folder in another's place in one step; what was there is removed.

    Where the system cannot exchange two names, the old folder goes first and there is none for an instant.
    """
    if not target.exists():
        os.rename(new_folder, target)
        return
    try:
        exchange_names(new_folder, target)
    except OSError:
        shutil.rmtree(target)
        os.rename(new_folder, target)
    else:
        shutil.rmtree(new_folder)


def exchange_names(first: Path, second: Path) -> None:
    """Exchange two names in one file system, atomically (renameat2 of Linux); OSError where that cannot be done."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError("this system has no renameat2")
    if rename(
        AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
