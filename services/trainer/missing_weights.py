"""What a trainer lacks, known before a run asks for it."""

from collections.abc import Iterator

from shared.ledger.training.trainers import MissingWeights
from shared.networks import WeightsFinder, get_network
from shared.networks.errors import NetworkUnknown
from shared.recipes import NetworkFeatures, Recipe, RecipeDirectory, Tuning


def lacking(weights: WeightsFinder, shelf: RecipeDirectory) -> dict[str, list[MissingWeights]]:
    """Weight files that are not here, by recipe; a recipe that has all it needs is left out."""
    found = {
        recipe.name: list(_of_recipe(recipe, weights)) for recipe in shelf.recipes()
    }
    return {name: missing for name, missing in found.items() if missing}


def _of_recipe(recipe: Recipe, weights: WeightsFinder) -> Iterator[MissingWeights]:
    sets = [each for each in recipe.features if isinstance(each, NetworkFeatures)]
    for network in sorted(
        {each.network for each in sets if each.tuning is not Tuning.PHANTOMS}
    ):
        try:
            card = get_network(network).card
        except NetworkUnknown:  # no file would help; a run fails by that name
            continue
        if card.weights and not weights.has(card):
            url = card.weights.url if weights.download else ""
            yield MissingWeights(
                network,
                " / ".join(card.weights.files),
                str(weights.folder or "SERA_WEIGHTS_DIR"),
                url,
            )
