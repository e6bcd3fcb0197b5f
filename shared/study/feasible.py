"""What of a recipe can be made: a network whose weights are not to be had is left out and named."""

from collections.abc import Iterator

from shared.errors import SeraError
from shared.learning import build_extractor
from shared.networks import WeightsFinder
from shared.recipes import FeatureSet, NetworkFeatures, Recipe, Tuning
from shared.study.results import MissingRow, Section


def feasible_recipe(
    recipe: Recipe, weights: WeightsFinder, seed: int
) -> tuple[Recipe, list[MissingRow]]:
    """The recipe without the feature sets whose weights are not to be had, and what that leaves out."""
    problems = {
        each: problem
        for each in recipe.features
        if (problem := weights_problem(each, recipe, weights, seed))
    }
    present = [each for each in recipe.features if each not in problems]
    if not present:
        raise next(iter(problems.values()))
    left_out = [
        MissingRow(Section.FEATURES, each.name, str(problem))
        for each, problem in problems.items()
    ]
    reduced = recipe.with_feature_sets([each.name for each in present]) if problems else recipe
    gone = {each.name for each in problems}
    for section, named in _declared(recipe):
        if missing := sorted(
            gone
            & {part for name in named for part in name.rpartition("/")[0].split("+")}
        ):
            left_out.append(
                MissingRow(
                    section,
                    ", ".join(named),
                    f"It needs {', '.join(missing)}, left out above.",
                )
            )
    return reduced, left_out


def weights_problem(
    features: FeatureSet, recipe: Recipe, weights: WeightsFinder, seed: int
) -> SeraError | None:
    """Why a feature set's weights cannot be had."""
    if not isinstance(features, NetworkFeatures) or features.tuning is Tuning.PHANTOMS:
        return None
    try:
        build_extractor(features, recipe, weights, seed)
    except SeraError as problem:
        return problem
    return None


def _declared(recipe: Recipe) -> Iterator[tuple[Section, tuple[str, ...]]]:
    """Members of what the recipe declares, by the table they would fill."""
    yield (
        Section.MODEL,
        tuple(
            recipe.label(*reading) for reading in recipe.select_components(recipe.fusion.members)
        ),
    )
    for ensemble in recipe.ensembles:
        yield Section.ENSEMBLES, ensemble.members
