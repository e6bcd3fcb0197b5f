import numpy as np
import pytest

from shared.learning.belonging import Belonging, foreign_image
from shared.learning.features.frames import frame_feature_set, frame_taps
from shared.learning.validation.folds import split_folds
from shared.networks import get_network
from shared.recipes import load_recipe


def frames(random, count, shift=0.0, coloured=0):
    """Features of pictures (count, 30 + 1); the last column is colour."""
    features = random.normal(shift, 1, (count, 30)).astype(np.float32)
    colours = np.arange(count) < coloured
    return np.column_stack([features, colours.astype(np.float32)])


def fit(table):
    labels = np.arange(len(table)) % 2 == 0
    groups = np.array([str(index) for index in range(len(table))])
    return Belonging.fit(table, split_folds(labels, groups=groups, count=5, seed=0))


@pytest.mark.parametrize("count", [30, 100, 400])
def test_at_most_one_in_twenty_new_pictures_of_the_kind_is_refused(count):
    random = np.random.default_rng(count)
    shares = []
    for _ in range(5):
        belonging = fit(frames(random, count))
        shares.append((belonging.distances(frames(random, 200)) > 1).mean())
    assert np.mean(shares) <= 0.05


def test_pictures_of_another_kind_are_refused():
    random = np.random.default_rng(0)
    belonging = fit(frames(random, 200))
    assert (belonging.distances(frames(random, 100, shift=3.0)) > 1).all()


@pytest.mark.parametrize(
    ("in_training", "refused"), [(0, True), (1, True), (20, False)]
)
def test_a_coloured_picture_belongs_where_colour_is_no_rarity(in_training, refused):
    random = np.random.default_rng(1)
    belonging = fit(frames(random, 200, coloured=in_training))
    distances = belonging.distances(frames(random, 40, coloured=40))
    assert (np.median(distances) > 1) is np.bool_(refused)


def test_the_reason_has_its_distance():
    finding = foreign_image(3.14159)
    assert (finding.code, finding.facts) == ("foreign-image", {"distance": 3.14})


def test_the_network_with_the_fewest_averages_describes_the_picture():
    recipe = load_recipe("light")
    index = frame_feature_set(recipe)
    features = recipe.features[index]
    assert features.network == "mobilenet_v2"
    card = get_network(features.network).card
    assert frame_taps(card, features.taps) == (
        "block3.avg",
        "block6.avg",
        "block10.avg",
    )


def test_a_fully_connected_layer_is_taken_as_it_is():
    card = get_network("alexnet").card
    (layer, *_) = [name for name, tap in card.taps.items() if tap.pool == "flat"]
    assert frame_taps(card, (layer, layer)) == (layer,)


@pytest.mark.parametrize("name", ["lee2019", "koh2020", "sera_vgg16", "starter"])
def test_every_recipe_has_a_network_for_the_picture(name):
    assert frame_feature_set(load_recipe(name)) is not None
