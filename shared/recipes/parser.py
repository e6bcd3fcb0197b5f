"""From a TOML table to a recipe: every key must be known, every value of its type."""

import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import (
    TYPE_CHECKING,
    Any,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from shared.recipes.errors import RecipeInvalid
from shared.recipes.parts import (
    ALL,
    SUPERVISED_TUNINGS,
    Classifier,
    ClassifierKind,
    Ensemble,
    Forest,
    Fusion,
    FusionRule,
    HandcraftedFeatures,
    NetworkClassifier,
    NetworkFeatures,
    Svm,
    Tuning,
)
from shared.recipes.recipe import Recipe

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
_CLASSIFIERS: dict[ClassifierKind, type[Classifier]] = {
    ClassifierKind.SVM: Svm,
    ClassifierKind.FOREST: Forest,
    ClassifierKind.NETWORK: NetworkClassifier,
}
MAX_CONCATENATED_SETS = 6
"""As L19; of seven sets there would be 120 concatenations."""


def read_recipe(table: Mapping[str, Any]) -> Recipe:
    """Build a recipe from its table; raises `RecipeInvalid`, which names the key."""
    recipe = _read_table(Recipe, table, "")
    _check_ranges(recipe)
    _check_sense(recipe)
    return recipe


def _read_table(kind: type[T], table: object, where: str) -> T:
    if not isinstance(table, Mapping):
        raise RecipeInvalid(
            key=where.rstrip(".") or "(top)", problem="a table is expected"
        )
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    for key in table:
        if key not in known:
            raise RecipeInvalid(
                key=where + key,
                problem=f"the key is unknown; known are {', '.join(known)}",
            )
    for name, field in known.items():
        if name not in table and field.default is field.default_factory is MISSING:
            raise RecipeInvalid(key=where + name, problem="it is missing")
    return kind(
        **{
            key: _read_value(hints[key], value, where + key)
            for key, value in table.items()
        }
    )


def _read_value(hint: Any, value: object, where: str) -> Any:
    if get_origin(hint) is tuple:
        return _read_list(get_args(hint)[0], value, where)
    if get_origin(hint) in (Union, types.UnionType):
        return _read_choice(get_args(hint), value, where)
    if isinstance(hint, type) and is_dataclass(hint):
        return _read_table(hint, value, where + ".")
    return _read_scalar(hint, value, where)


def _read_list(hint: Any, value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise RecipeInvalid(
            key=where, problem="a list with at least one entry is expected"
        )
    return tuple(
        _read_value(hint, entry, f"{where}[{place}]")
        for place, entry in enumerate(value)
    )


def _read_choice(hints: tuple[Any, ...], value: object, where: str) -> Any:
    """One of several kinds of table, told apart by what is in them."""
    if type(None) in hints:
        return _read_value(hints[0], value, where)
    table = value if isinstance(value, Mapping) else {}
    if NetworkFeatures in hints:
        features = NetworkFeatures if "network" in table else HandcraftedFeatures
        return _read_table(features, value, where + ".")
    kind = _read_scalar(ClassifierKind, table.get("kind"), where + ".kind")
    return _read_table(_CLASSIFIERS[kind], value, where + ".")


def _read_scalar(hint: Any, value: object, where: str) -> Any:
    if issubclass(hint, StrEnum):
        if value not in list(hint):
            raise RecipeInvalid(
                key=where, problem=f"{value!r} is none of {', '.join(hint)}"
            )
        return hint(value)
    wanted = (int, float) if hint is float else (hint,)
    if type(value) not in wanted or not _bounded(value):
        raise RecipeInvalid(
            key=where, problem=f"{str(value)[:80]!r} is no {hint.__name__}"
        )
    return hint(value)


def _bounded(value: object) -> bool:
    """Whether arithmetic and the ledger can hold it: no infinity, no number beyond all floats, no NUL in a text."""
    if isinstance(value, str):
        return "\0" not in value
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _check_ranges(recipe: Recipe) -> None:
    ranges: dict[str, tuple[float, float, float]] = {
        "roi.margin": (recipe.roi.margin, 0, 2),
        "decision.novelty_quantile": (recipe.decision.novelty_quantile, 0.5, 1),
        "validation.folds": (recipe.validation.folds, 2, 20),
        "validation.inner_folds": (recipe.validation.inner_folds, 2, 20),
    }
    if recipe.tuning:
        ranges |= {
            "tuning.momentum": (recipe.tuning.momentum, 0, 0.999),
            "tuning.average": (recipe.tuning.average, 0, 0.9999),
            "tuning.decays": (min(recipe.tuning.decays), 0, 1),
        }
    for place, features in enumerate(recipe.features):
        if isinstance(features, HandcraftedFeatures):
            ranges[f"features[{place}].levels"] = (features.levels, 2, 256)
            ranges[f"features[{place}].distance"] = (features.distance, 1, 32)
    for key, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise RecipeInvalid(
                key=key, problem=f"{value} is not between {low} and {high}"
            )
    for place, classifier in enumerate(recipe.classifiers):
        _check_positive(f"classifiers[{place}]", classifier)
    if recipe.phantoms:
        _check_positive("phantoms", recipe.phantoms, besides=("momentum", "decay"))
    if recipe.tuning:
        _check_positive(
            "tuning", recipe.tuning, besides=("momentum", "decays", "average")
        )


def _check_positive(
    where: str, table: "DataclassInstance", besides: tuple[str, ...] = ()
) -> None:
    for field in fields(table):
        value = getattr(table, field.name)
        for number in value if isinstance(value, tuple) else (value,):
            if (
                isinstance(number, int | float)
                and not isinstance(number, bool)
                and field.name not in besides
            ):
                _refuse_unless_positive(f"{where}.{field.name}", number)


def _refuse_unless_positive(key: str, number: float) -> None:
    if number <= 0:
        raise RecipeInvalid(key=key, problem=f"{number} is not above 0")


def _check_sense(recipe: Recipe) -> None:
    """Keys that are right one by one and wrong together."""
    names = [features.name for features in recipe.features]
    _check_names(
        "concatenations",
        {name for names in recipe.concatenations for name in names},
        set(names),
    )
    _check_names("study.concatenate", set(recipe.study.concatenate), set(names))
    for place, classifier in enumerate(recipe.classifiers):
        _check_names(
            f"classifiers[{place}].reads", set(classifier.reads) - set(ALL), set(names)
        )
    labels = [recipe.label(*reader) for reader in recipe.all_components()]
    if len(set(labels)) < len(labels) or len(set(names)) < len(names):
        raise RecipeInvalid(
            key="features",
            problem="two feature sets, or two classifiers, have the same name; give a `label`",
        )
    _check_members("fusion", recipe.fusion, set(labels))
    for ensemble in recipe.ensembles:
        _check_members(f"ensembles.{ensemble.name}", ensemble, set(labels))
    _check_concatenations(recipe)
    _check_tuning(recipe)


def _check_members(key: str, fusion: Fusion | Ensemble, readers: set[str]) -> None:
    members = readers if fusion.members == ALL else set(fusion.members)
    if strangers := members - readers:
        raise RecipeInvalid(
            key=f"{key}.members",
            problem=f"{', '.join(sorted(strangers))}: no such reader",
        )
    if not members:
        raise RecipeInvalid(
            key=f"{key}.members", problem="no classifier reads any of the feature sets"
        )
    if fusion.rule is FusionRule.VOTE and len(members) < 2:
        raise RecipeInvalid(
            key=f"{key}.rule", problem="a vote needs at least two readers"
        )


def _check_names(key: str, used: set[str], known: set[str]) -> None:
    if strangers := used - known:
        raise RecipeInvalid(
            key=key, problem=f"{', '.join(sorted(strangers))}: no such feature set"
        )


def _check_concatenations(recipe: Recipe) -> None:
    together = {
        f"concatenations[{place}]": names
        for place, names in enumerate(recipe.concatenations)
    }
    if recipe.study.concatenate:
        together["study.concatenate"] = recipe.study.concatenate
    for key, names in together.items():
        if not 2 <= len(set(names)) == len(names) <= MAX_CONCATENATED_SETS:
            raise RecipeInvalid(
                key=key,
                problem=f"two to {MAX_CONCATENATED_SETS} different feature sets are put together",
            )


def _check_tuning(recipe: Recipe) -> None:
    tunings = {
        f.tuning
        for f in (*recipe.features, *recipe.study.features)
        if isinstance(f, NetworkFeatures)
    }
    if Tuning.PHANTOMS in tunings:
        recipe.phantom_training()
    if tunings & set(SUPERVISED_TUNINGS):
        recipe.tuning_plan()
