"""Photos of a screen, as a phone takes them of a drawn nodule."""

import numpy as np
import pytest

from shared.imaging.photos import (
    CornersInvalid,
    find_corners,
    fault_findings,
    measure_faults,
    parse_corners,
    rectify_photo,
)
from shared.imaging.photos.rectify import aspect_ratio
from shared.phantoms import draw
from shared.phantoms.camera import PhotoSettings, photograph

SEEDS = (0, 1, 3)


def told(seed: int, shot: PhotoSettings) -> set[str]:
    photo = photograph(draw(seed, size_px=400).pixels, seed, shot)
    return {
        finding.code
        for finding in fault_findings(measure_faults(rectify_photo(photo.pixels, photo.corners)))
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_photo_is_not_faulted(seed):
    assert told(seed, PhotoSettings()) == set()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("shot", "fault"),
    [
        (PhotoSettings(glare=300), "glare"),
        (PhotoSettings(moire=0.06), "moire"),
        (PhotoSettings(blur_px=9), "blurred"),
    ],
)
def test_what_spoils_a_photo_is_told(seed, shot, fault):
    assert fault in told(seed, shot)


def test_the_corners_of_a_bright_screen_are_found_to_a_few_pixels():
    photo = photograph(np.full((300, 400), 160, np.uint8), 2)
    seen = find_corners(photo.pixels)
    assert seen.is_screen
    assert np.linalg.norm(seen.corners - photo.corners, axis=1).max() < 5


def test_where_there_is_no_screen_the_corners_lie_inside_the_photo():
    seen = find_corners(np.full((300, 400), 90, np.uint8))
    assert not seen.is_screen
    assert ((seen.corners > 0) & (seen.corners < (400, 300))).all()


@pytest.mark.parametrize("shape", [(300, 400), (300, 300), (480, 300)])
def test_the_aspect_of_the_screen_is_told_from_a_slanted_view(shape):
    photo = photograph(np.full(shape, 160, np.uint8), 4, PhotoSettings(tilt_deg=25))
    assert aspect_ratio(photo.corners, photo.pixels.shape) == pytest.approx(
        shape[1] / shape[0], rel=0.03
    )


def test_a_straight_picture_has_no_more_pixels_than_the_photo_had_of_it():
    photo = photograph(draw(5, size_px=200).pixels, 5)
    straight = rectify_photo(photo.pixels, photo.corners)
    x, y = photo.corners.T
    assert straight.size == pytest.approx(
        abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2, rel=0.02
    )


def test_a_straight_picture_shows_what_was_on_the_screen():
    picture = draw(6, size_px=400).pixels
    photo = photograph(picture, 6)
    straight = rectify_photo(photo.pixels, photo.corners)
    rows, columns = (
        np.linspace(0, side - 1, 40).astype(int) for side in straight.shape
    )
    there = np.linspace(0, 399, 40).astype(int)
    assert (
        np.corrcoef(
            straight[np.ix_(rows, columns)].ravel(),
            picture[np.ix_(there, there)].ravel(),
        )[0, 1]
        > 0.8
    )


@pytest.mark.parametrize(
    "sent",
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
def test_corners_that_cannot_be_a_screen_s_are_refused(sent):
    with pytest.raises(CornersInvalid):
        parse_corners(sent, 100, 100)
