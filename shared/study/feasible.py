"""Reduces a recipe to the part that can be computed with the weights that are available."""

from collections.abc import Sequence
from dataclasses import replace

from shared.errors import SeraError
from shared.learning import build_extractor
from shared.networks import WeightsFinder, get_network
from shared.recipes import FeatureSet, NetworkFeatures, Recipe, Tuning
from shared.study.results import MissingRow, Section


def feasible_recipe(
    recipe: Recipe, weights: WeightsFinder, seed: int
) -> tuple[Recipe, list[MissingRow]]:
    """Reduce a recipe to the feature sets whose weights are available.

    The second value lists the rows of the report that cannot be computed without the other sets.

    Raises
    ------
    SeraError
        No feature set has its weights. The error of the first feature set is raised.
    """
    recipe, missing_rows = _without_missing_encoder(recipe, weights)
    problems: dict[FeatureSet, SeraError] = {}
    for features in recipe.features:
        problem = weights_error(features, recipe, weights, seed)
        if problem is not None:
            problems[features] = problem
    if not problems:
        return recipe, missing_rows
    available = [features for features in recipe.features if features not in problems]
    if not available:
        raise next(iter(problems.values()))
    missing_rows += [
        MissingRow(section=Section.FEATURES, name=features.name, reason=str(problem))
        for features, problem in problems.items()
    ]
    missing_names = {features.name for features in problems}
    for section, members in _fusion_members(recipe):
        missing_members = sorted(missing_names & _feature_set_names(members))
        if missing_members:
            missing_rows.append(
                MissingRow(
                    section=section,
                    name=", ".join(members),
                    reason=f"It needs {', '.join(missing_members)}, left out above.",
                )
            )
    available_names = [features.name for features in available]
    return recipe.with_feature_sets(available_names), missing_rows


def _without_missing_encoder(
    recipe: Recipe, weights: WeightsFinder
) -> tuple[Recipe, list[MissingRow]]:
    """Return the recipe without its outline network if the encoder's weights are unavailable."""
    if recipe.outline is None:
        return recipe, []
    card = get_network(recipe.outline.encoder).card
    if card.weights is None:
        return recipe, []
    try:
        weights.find(card)
    except SeraError as error:
        row = MissingRow(section=Section.MODEL, name="outline", reason=str(error))
        return replace(recipe, outline=None), [row]
    return recipe, []


def weights_error(
    features: FeatureSet, recipe: Recipe, weights: WeightsFinder, seed: int
) -> SeraError | None:
    """Return the error that makes the weights of a feature set unavailable, or None."""
    if not isinstance(features, NetworkFeatures) or features.tuning is Tuning.PHANTOMS:
        return None
    try:
        build_extractor(features, recipe, weights, seed)
    except SeraError as error:
        return error
    return None


def _fusion_members(recipe: Recipe) -> list[tuple[Section, tuple[str, ...]]]:
    """Return the labels of the members of the model and of each declared ensemble, with their
    table.
    """
    model_components = recipe.select_components(recipe.fusion.members)
    model_members = tuple(recipe.label(component) for component in model_components)
    members = [(Section.MODEL, model_members)]
    for ensemble in recipe.ensembles:
        members.append((Section.ENSEMBLES, ensemble.members))
    return members


def _feature_set_names(members: Sequence[str]) -> set[str]:
    """Return the names of the feature sets in members' labels, which are `SET+SET/CLASSIFIER`."""
    names: set[str] = set()
    for member in members:
        sets, _, _ = member.rpartition("/")
        names.update(sets.split("+"))
    return names
