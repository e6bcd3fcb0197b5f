from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.imaging import decode
from shared.imaging.deidentify import BURNT_IN_TEXT, burnt_in_text
from shared.phantoms import draw

REAL = Path(__file__).parents[4].parent / "shared" / "data"
absent = pytest.mark.skipif(not REAL.exists(), reason="../shared/data is not here")


def screen(text: str, size: float = 0.5, bar: int = 0, seed: int = 1) -> np.ndarray:
    """A phantom with a line of text on a bar above it, as scanners show a name."""
    tissue = draw(seed, size_px=200).pixels
    head = np.full((40, 200), bar, np.uint8)
    cv2.putText(
        head,
        text,
        org=(6, 26),
        fontFace=cv2.FONT_HERSHEY_SIMPLEX,
        fontScale=size,
        color=min(bar + 150, 255),
        thickness=1,
        lineType=cv2.LINE_AA,
    )
    return np.vstack([head, tissue])


@pytest.mark.parametrize("bar", [0, 60])
@pytest.mark.parametrize("size", [0.4, 0.5, 0.8])
def test_a_name_on_the_screen_is_detected(size, bar):
    assert burnt_in_text(screen("DOE JANE", size, bar)) == (BURNT_IN_TEXT,)


def test_a_name_is_detected_after_lossy_compression():
    coded = cv2.imencode(".jpg", screen("DOE JANE"), [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    assert burnt_in_text(decode(coded.tobytes()).pixels)


@pytest.mark.parametrize("seed", range(6))
def test_tissue_alone_is_no_text(seed):
    assert burnt_in_text(draw(seed, size_px=256).pixels) == ()


def test_short_marks_and_an_empty_image_are_no_text():
    assert (
        burnt_in_text(screen("7 L"))
        == burnt_in_text(np.zeros((50, 50), np.uint8))
        == ()
    )


@absent
@pytest.mark.parametrize("name", ["US1_J2KR", "examples_palette", "gdcm-US-ALOKA-16"])
def test_real_screens_with_text_are_detected(name):
    assert burnt_in_text(decode((REAL / "dicom" / f"{name}.dcm").read_bytes()).pixels)


@absent
def test_real_thyroid_crops_raise_no_alarm():
    paths = sorted((REAL / "ddti" / "images").glob("*.png"))[::6]
    assert [
        path.name for path in paths if burnt_in_text(decode(path.read_bytes()).pixels)
    ] == []
