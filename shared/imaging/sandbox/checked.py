"""The result of a check that an image can be read."""

from dataclasses import dataclass

from shared.domain.results.findings import Finding


@dataclass(frozen=True)
class CheckedImage:
    """What is known of an image that was decoded once, without its pixels.

    Attributes
    ----------
    width, height : size of the upright picture, in pixels
    findings : findings of the decoded image
    has_text_beside_tissue : whether there is a line of text that could be painted over; False
        if it was not looked for
    """

    width: int
    height: int
    findings: tuple[Finding, ...] = ()
    has_text_beside_tissue: bool = False
