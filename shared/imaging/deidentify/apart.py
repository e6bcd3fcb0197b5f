"""Cleaning that decodes, in a process of its own: a decoder that crashes, hangs or swells costs that file only."""

import json
import resource
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore
from typing import BinaryIO

from shared.errors import SeraError
from shared.imaging.deidentify.cleaned import Cleaned
from shared.imaging.errors import (
    ImageBrokeDecoder,
    ImageTooLarge,
    ImageTooSmall,
    ImageTruncated,
    ImageUnreadable,
    UnsupportedImage,
)
from shared.imaging.limits import Limits

ROOT = Path(__file__).resolve().parents[3]
TIME_S = 60
MEMORY_MIB = 2048
AT_ONCE = 2
REFUSALS = {
    each.code: each
    for each in (
        UnsupportedImage,
        ImageUnreadable,
        ImageTruncated,
        ImageTooLarge,
        ImageTooSmall,
        ImageBrokeDecoder,
    )
}
_room = BoundedSemaphore(AT_ONCE)


def clean_apart(data: bytes, key: bytes, limits: Limits) -> Cleaned:
    """`clean` for a DICOM file that has to be decoded.

    Raises
    ------
    ImageUnreadable
        also where the process died, took longer than a minute or more memory than it may have.
    """
    told = (
        json.dumps(
            {"key": key.hex(), "limits": asdict(limits), "memory": MEMORY_MIB << 20}
        ).encode()
        + b"\n"
    )
    command = [sys.executable, "-m", "shared.imaging.deidentify.apart"]
    try:
        with _room:
            done = subprocess.run(
                command,
                input=told + data,
                capture_output=True,
                cwd=ROOT,
                timeout=TIME_S,
                check=True,
            )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise ImageUnreadable(
            format="DICOM", problem="its frames cannot be decoded for cleaning"
        ) from None
    line, _, cleaned = done.stdout.partition(b"\n")
    answer = json.loads(line)
    if "refused" in answer:
        raise REFUSALS.get(answer["refused"], ImageUnreadable)(**answer["words"])
    return Cleaned(cleaned, Counter(answer["removed"]))


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Read what `clean_apart` sends, write what it expects."""
    from shared.imaging.deidentify.dicom.file import clean_dicom
    from shared.imaging.file_type import inspect
    from shared.imaging.image import ImageFormat
    from shared.imaging.library_errors import reading

    told = json.loads(source.readline())
    resource.setrlimit(resource.RLIMIT_AS, (told["memory"], told["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = source.read()
    limits = Limits(**told["limits"])
    answer: dict[str, object]
    try:
        with reading(ImageFormat.DICOM, limits):
            header = inspect(BytesIO(data), limits)
            cleaned = clean_dicom(
                data, bytes.fromhex(told["key"]), header, limits, may_decode=True
            )
        answer = {"removed": cleaned.removed}
        content = cleaned.data
    except SeraError as refusal:
        answer = {"refused": refusal.code, "words": refusal.facts}
        content = b""
    target.write(json.dumps(answer).encode() + b"\n" + content)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
