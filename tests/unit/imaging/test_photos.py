"""Photos of a screen that shows a phantom, as a phone takes them."""

import numpy as np
import pytest

from shared.imaging.photos import (
    CornersInvalid,
    fault_findings,
    find_corners,
    measure_faults,
    parse_corners,
    rectify_photo,
)
from shared.imaging.photos.rectify import aspect_ratio
from shared.phantoms import draw
from tests.support.phone_photos import PhotoSettings, photograph

SEEDS = (0, 1, 3)


def fault_codes(seed: int, settings: PhotoSettings) -> set[str]:
    photo = photograph(draw(seed, size_px=400).pixels, seed, settings)
    picture = rectify_photo(photo.pixels, photo.corners)
    faults = measure_faults(picture)
    return {finding.code for finding in fault_findings(faults)}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_photo_has_no_faults(seed):
    assert fault_codes(seed, PhotoSettings()) == set()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (PhotoSettings(glare=300), "glare"),
        (PhotoSettings(moire=0.06), "moire"),
        (PhotoSettings(blur_px=9), "blurred"),
    ],
)
def test_each_fault_of_a_photo_is_reported(seed, settings, code):
    assert code in fault_codes(seed, settings)


def test_the_corners_of_a_bright_screen_are_found_to_a_few_pixels():
    photo = photograph(np.full((300, 400), 160, np.uint8), 2)
    screen = find_corners(photo.pixels)
    assert screen.is_screen
    assert np.linalg.norm(screen.corners - photo.corners, axis=1).max() < 5


def test_without_a_screen_the_corners_lie_inside_the_photo():
    screen = find_corners(np.full((300, 400), 90, np.uint8))
    assert not screen.is_screen
    assert ((screen.corners > 0) & (screen.corners < (400, 300))).all()


@pytest.mark.parametrize("shape", [(300, 400), (300, 300), (480, 300)])
def test_the_aspect_of_the_screen_is_estimated_from_a_slanted_view(shape):
    photo = photograph(np.full(shape, 160, np.uint8), 4, PhotoSettings(tilt_deg=25))
    assert aspect_ratio(photo.corners, photo.pixels.shape) == pytest.approx(
        shape[1] / shape[0], rel=0.03
    )


def test_a_straight_picture_has_no_more_pixels_than_the_photo_had_of_it():
    photo = photograph(draw(5, size_px=200).pixels, 5)
    rectified = rectify_photo(photo.pixels, photo.corners)
    x, y = photo.corners.T
    assert rectified.size == pytest.approx(
        abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2, rel=0.02
    )


def test_a_straight_picture_shows_what_was_on_the_screen():
    picture = draw(6, size_px=400).pixels
    photo = photograph(picture, 6)
    rectified = rectify_photo(photo.pixels, photo.corners)
    rows, columns = (
        np.linspace(0, side - 1, 40).astype(int) for side in rectified.shape
    )
    picture_indices = np.linspace(0, 399, 40).astype(int)
    assert (
        np.corrcoef(
            rectified[np.ix_(rows, columns)].ravel(),
            picture[np.ix_(picture_indices, picture_indices)].ravel(),
        )[0, 1]
        > 0.8
    )


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "[[0,0],[9,0]]",
        "[[0,0],[90,0],[90,90],[0,null]]",
        "[[0,0],[900,0],[90,90],[0,90]]",
        "[[0,0],[0,90],[90,90],[90,0]]",
        "[[0,0],[90,90],[90,0],[0,90]]",
        "[[0,0],[9,0],[9,9],[0,9]]",
        "[[0,0],[1e999,0],[90,90],[0,90]]",
        '{"a":1}',
    ],
)
def test_invalid_corners_are_refused(text):
    with pytest.raises(CornersInvalid):
        parse_corners(text, 100, 100)
