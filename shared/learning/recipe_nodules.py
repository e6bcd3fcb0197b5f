"""How a recipe cuts nodules out of images, in training and in use."""

from collections.abc import Sequence

from shared.imaging.regions.crop import Framing
from shared.learning.features.cache import FeatureCache
from shared.learning.outlining import (
    OutlinedNodules,
    OutlineFolds,
    OutlineNetworks,
    PhantomOutlines,
)
from shared.learning.progress import ProgressCallback
from shared.learning.samples.nodules import FramedNodules, NoduleReader
from shared.learning.samples.sample import Picture
from shared.networks import WeightsFinder
from shared.recipes import Calipers, Recipe


def recipe_framing(recipe: Recipe) -> Framing:
    """Return the framing by which the recipe crops nodules."""
    return Framing(
        margin=recipe.roi.margin, calipers=recipe.roi.calipers is not Calipers.NEVER
    )


def outline_networks(
    pictures: Sequence[Picture],
    recipe: Recipe,
    weights: WeightsFinder,
    cache: FeatureCache,
    seed: int,
    progress: ProgressCallback,
) -> OutlineNetworks | None:
    """Return the outline networks of a data set; None if the recipe has none."""
    if recipe.outline is None:
        return None
    if recipe.outline.phantoms:
        return PhantomOutlines(recipe.outline, weights, cache, seed, progress)
    return OutlineFolds(
        pictures,
        plan=recipe.outline,
        weights=weights,
        cache=cache,
        seed=seed,
        progress=progress,
    )


def training_nodules(recipe: Recipe, outlines: OutlineNetworks | None) -> NoduleReader:
    """Return how a fit of a recipe cuts nodules out of its samples."""
    framing = recipe_framing(recipe)
    if outlines is None or recipe.outline is None:
        return FramedNodules(framing)
    return OutlinedNodules(folds=outlines, framing=framing, plan=recipe.outline)
