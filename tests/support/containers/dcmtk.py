"""Runs DCMTK's programs: a second opinion on DICOM pixels, and encoders that pydicom lacks."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PROGRAMS = ("dcmj2pnm", "dcmdjpls", "dcmdrle", "dcmcjpeg", "dcmcjpls")
RUN_TIMEOUT_S = 30


def is_installed() -> bool:
    """Return whether all programs of Debian's package `dcmtk` are there."""
    return all(shutil.which(program) for program in PROGRAMS)


def convert(program: str, *options: str, data: bytes) -> bytes | None:
    """Return what a program makes of a file; None if it refuses the file."""
    with tempfile.TemporaryDirectory(prefix="sera-dcmtk-") as folder:
        source = Path(folder, "source")
        target = Path(folder, "target")
        source.write_bytes(data)
        run = subprocess.run(
            [program, *options, source, target],
            capture_output=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
        if run.returncode != 0 or not target.exists():
            return None
        return target.read_bytes()


def rendered(data: bytes) -> NDArray[np.uint8] | None:
    """Return the picture that DCMTK shows, as grey (height, width); None if it shows none.

    `dcmj2pnm` reads uncompressed files and JPEG. JPEG-LS and RLE are decompressed before.
    """
    for program in (None, "dcmdjpls", "dcmdrle"):
        plain = data if program is None else convert(program, data=data)
        if plain is None:
            continue
        picture = convert("dcmj2pnm", "--write-png", data=plain)
        if picture is not None:
            return _grey(picture)
    return None


def _grey(png: bytes) -> NDArray[np.uint8]:
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.asarray(pixels, np.uint8)
