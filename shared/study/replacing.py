"""Saves the bundle of a finished study in place of an earlier one."""

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
    """Save a bundle, replacing an earlier bundle in the same folder. Return the digest.

    The folder always holds either the complete old bundle or the complete new bundle.

    Raises
    ------
    OutputUnwritable
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".new-", dir=folder.parent, ignore_cleanup_errors=True
        ) as temporary_folder:
            new_folder = Path(temporary_folder) / folder.name
            digest = save(model, new_folder, synthetic=synthetic)
            replace_folder(new_folder, folder)
    except OSError as error:
        raise OutputUnwritable(path=folder, problem=error.strerror) from error
    return digest


def replace_folder(new_folder: Path, target: Path) -> None:
    """Put a folder in place of the target in one step, and remove the old target.

    If the system cannot exchange two names, the old folder is removed first. For an instant there
    is then no folder.
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
    """Exchange two names in one file system, atomically (renameat2 of Linux).

    Raises OSError if that is not possible.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        raise OSError("this system has no renameat2")
    status = renameat2(
        AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE
    )
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
