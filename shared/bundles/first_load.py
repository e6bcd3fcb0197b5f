"""The first load of a bundle from outside, in a process of the sandbox.

A malformed bundle can crash or exhaust the process that loads it, in code that no check of ours
reaches. So it is loaded once where that harms nobody, its golden cases included.
"""

from collections.abc import Mapping
from pathlib import Path

from shared.bundles.bundle import Bundle
from shared.bundles.errors import BundleUnreadable
from shared.bundles.loading import BUNDLE_ERRORS, load_contents, read_folder
from shared.errors import SeraError, Unavailable
from shared.sandbox.channel import Head
from shared.sandbox.launcher import SandboxProcess

PROCESS_MODULE = "shared.bundles.check_process"
SECONDS = 600.0
"""The largest recipe takes a minute on one busy core."""
LOADED_SIZES = 6
"""Memory for a bundle, in sizes of its files: their bytes, the model, and what it computes."""
SPARE_MIB = 4096
MAX_FILE_BYTES = 2**32 - 1
MAX_TEXT_LENGTH = 400
ERRORS: dict[str, type[SeraError]] = {
    error.code: error for error in (*BUNDLE_ERRORS, *BundleUnreadable.__subclasses__())
}


def load_from_outside(folder: Path) -> Bundle:
    """Load a bundle that somebody else may have made.

    Raises BundleMissing and the errors of `check_in_sandbox`.
    """
    contents = read_folder(folder)
    check_in_sandbox(contents)
    return load_contents(contents)


def check_in_sandbox(
    contents: Mapping[str, bytes], expected_digest: str | None = None
) -> None:
    """Load a bundle in a process of its own.

    Parameters
    ----------
    contents : the files of the bundle by path

    Raises
    ------
    The errors of `load_contents`, and
    BundleUnreadable
        also if the bundle crashes the process, or exceeds its time or memory.
    Unavailable
        if no process can be started; the bundle is not the cause.
    """
    process = open_process(sum(map(len, contents.values())))
    try:
        for path, content in contents.items():
            if len(content) > MAX_FILE_BYTES:
                raise BundleUnreadable(part=path, problem="it is larger than 4 GiB")
            process.call({"path": path}, content, max_result_bytes=0)
        request = {"path": None, "digest": expected_digest}
        answer, _ = process.call(request, b"", max_result_bytes=0)
    except TimeoutError as error:
        problem = f"it takes longer than {SECONDS:g} s to load"
        raise BundleUnreadable(part="content", problem=problem) from error
    except OSError as error:
        problem = "it crashes the process that loads it"
        raise BundleUnreadable(part="content", problem=problem) from error
    finally:
        process.end()
    _raise_refusal(answer)


def open_process(size_bytes: int) -> SandboxProcess:
    """Start a process that loads a bundle of this size. Raises Unavailable."""
    memory_mib = SPARE_MIB + LOADED_SIZES * (size_bytes >> 20)
    try:
        return SandboxProcess(PROCESS_MODULE, memory_mib=memory_mib, seconds=SECONDS)
    except OSError as error:
        raise Unavailable(service="The check of models") from error


def refusal_message(refusal: SeraError) -> Head:
    facts = {name: _short(value) for name, value in refusal.facts.items()}
    return {"refused": refusal.code, "facts": facts}


def _raise_refusal(answer: Head) -> None:
    """Raise the error of the answer. The bundle may have written the answer itself."""
    if answer == {"loaded": True}:
        return
    try:
        facts = {str(name): _short(value) for name, value in answer["facts"].items()}
        refusal = ERRORS[answer["refused"]](**facts)
    except Exception as error:
        problem = "it falsifies the answer of the process that loads it"
        raise BundleUnreadable(part="content", problem=problem) from error
    raise refusal


def _short(value: object) -> float | str:
    return value if isinstance(value, float) else str(value)[:MAX_TEXT_LENGTH]
