"""The weight files that a trainer lacks, so that they are known before a run needs them."""

from collections.abc import Iterator

from shared.ledger.training.trainers import MissingWeights
from shared.networks import WeightsFinder, get_network
from shared.networks.errors import NetworkUnknown
from shared.recipes import NetworkFeatures, Recipe, RecipeDirectory, Tuning


def missing_weights(
    weights: WeightsFinder, recipe_directory: RecipeDirectory
) -> dict[str, list[MissingWeights]]:
    """Return the missing weight files by recipe, without recipes whose files are complete."""
    missing_by_recipe = {}
    for recipe in recipe_directory.recipes():
        missing = list(_missing_weights_of_recipe(recipe, weights))
        if missing:
            missing_by_recipe[recipe.name] = missing
    return missing_by_recipe


def _missing_weights_of_recipe(
    recipe: Recipe, weights: WeightsFinder
) -> Iterator[MissingWeights]:
    for network in _pretrained_networks(recipe):
        try:
            card = get_network(network).card
        except NetworkUnknown:
            # A file would not help. A run with this recipe fails with an error that names the
            # network.
            continue
        if card.weights and not weights.has(card):
            yield MissingWeights(
                network=network,
                files=" / ".join(card.weights.files),
                folder=str(weights.folder or "SERA_WEIGHTS_DIR"),
                url=card.weights.url if weights.download else "",
            )


def _pretrained_networks(recipe: Recipe) -> list[str]:
    """Return the networks of the recipe that start from published weights."""
    networks = set()
    for features in recipe.features:
        if not isinstance(features, NetworkFeatures):
            continue
        if features.tuning is not Tuning.PHANTOMS:
            networks.add(features.network)
    return sorted(networks)
