"""The findings of a DICOM file: what its header says wrongly, or does not say."""

from collections.abc import Iterable

from pydicom.datadict import dictionary_description
from pydicom.tag import Tag

from shared.domain.results.findings import Finding

COLOUR_UNCLEAR = Finding(
    "colour-unclear",
    "The whole picture is in colour, and nothing but the file's Photometric Interpretation says "
    "what its colours are. If they look wrong, export it again as a plain grey image.",
)


def contradiction(attributes: Iterable[str]) -> tuple[Finding, ...]:
    """Return a finding for attributes whose values the pixels contradict, by name; or none."""
    names = ", ".join(attributes)
    if not names:
        return ()
    finding = Finding(
        "header-contradicts-pixels",
        f"The file's header contradicts its pixels ({names}); the picture was read as its "
        "pixels say. Compare it with the original, and tell whoever exports these files.",
        {"attributes": names},
    )
    return (finding,)


def values_left_aside(keywords: Iterable[str]) -> tuple[Finding, ...]:
    """Return a finding for values that are no numbers and were not used; or none."""
    names = ", ".join(dictionary_description(Tag(keyword)) for keyword in keywords)
    if not names:
        return ()
    finding = Finding(
        "header-value-unusable",
        f"The file's header holds no usable number in {names}; "
        "that was left aside. Compare the picture with the original.",
        {"attributes": names},
    )
    return (finding,)


def values_guessed(attributes: Iterable[str]) -> tuple[Finding, ...]:
    """Return a finding for attributes that the header lacks and that the pixels suggest."""
    names = ", ".join(attributes)
    if not names:
        return ()
    finding = Finding(
        "header-value-guessed",
        f"The file's header lacks {names}; it was taken from the pixels. "
        "Compare the picture with the original.",
        {"attributes": names},
    )
    return (finding,)


def frame_findings(
    frames: int, *, index: int, is_requested: bool
) -> tuple[Finding, ...]:
    """Return the findings of the frame of a loop that was read; none for a single frame."""
    if frames == 1:
        return ()
    number = index + 1
    facts = {"frames": frames, "frame": number}
    reason = "as chosen" if is_requested else "the middle one"
    read = Finding(
        "multi-frame",
        f"The file holds {frames} frames; frame {number}, {reason}, was read.",
        facts,
    )
    if is_requested:
        return (read,)
    guessed = Finding(
        "frame-guessed",
        f"No frame was chosen, so the middle one of {frames}, frame {number}, was read. "
        "Choose the frame that shows the nodule best.",
        facts,
    )
    return read, guessed
