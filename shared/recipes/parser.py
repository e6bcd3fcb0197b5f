"""Reads a recipe from a TOML table. Every key must be known, and every value of its type."""

import sys
import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from itertools import chain
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
from shared.recipes.recipe import CONCATENATION_SIGN, Recipe

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Choice = TypeVar("Choice", bound=StrEnum)
_CLASSIFIERS: dict[ClassifierKind, type[Classifier]] = {
    ClassifierKind.SVM: Svm,
    ClassifierKind.FOREST: Forest,
    ClassifierKind.NETWORK: NetworkClassifier,
}
MAX_CONCATENATED_SETS = 6
"""As in L19. Seven sets would give 120 concatenations."""
MAX_OUTLINED_PHANTOMS = 2000
"""They are held in memory."""
MAX_LABELLERS_OUTLINES = 0.8
"""In use nobody may have drawn an outline, so a model does not learn from people's alone."""
MAX_SHOWN_CHARACTERS = 80


def read_recipe(table: Mapping[str, Any]) -> Recipe:
    """Build a recipe from its table. Raises `RecipeInvalid`, which names the key."""
    recipe = _read_table(Recipe, table, "")
    _check_ranges(recipe)
    _check_consistency(recipe)
    return recipe


def _read_table(kind: type[T], table: object, path: str) -> T:
    """Build a dataclass from a table.

    `path` is the prefix of its keys: empty, or ending with a dot.
    """
    if not isinstance(table, Mapping):
        raise RecipeInvalid(
            key=path.rstrip(".") or "(top)", problem="a table is expected"
        )
    hints = get_type_hints(kind)
    fields_by_name = {field.name: field for field in fields(kind)}
    for key in table:
        if key not in fields_by_name:
            raise RecipeInvalid(
                key=path + key,
                problem=f"the key is unknown; known are {', '.join(fields_by_name)}",
            )
    for name, field in fields_by_name.items():
        is_required = field.default is field.default_factory is MISSING
        if is_required and name not in table:
            raise RecipeInvalid(key=path + name, problem="it is missing")
    values = {
        key: _read_value(hints[key], value, path + key) for key, value in table.items()
    }
    return kind(**values)


def _read_value(hint: type[Any], value: object, key: str) -> object:
    if get_origin(hint) is tuple:
        return _read_list(get_args(hint)[0], value, key)
    if get_origin(hint) in (Union, types.UnionType):
        return _read_union(get_args(hint), value, key)
    if isinstance(hint, type) and is_dataclass(hint):
        return _read_table(hint, value, key + ".")
    return _read_scalar(hint, value, key)


def _read_list(hint: type[Any], value: object, key: str) -> tuple[object, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise RecipeInvalid(
            key=key, problem="a list with at least one entry is expected"
        )
    return tuple(
        _read_value(hint, entry, f"{key}[{index}]") for index, entry in enumerate(value)
    )


def _read_union(hints: tuple[Any, ...], value: object, key: str) -> object:
    """Read one of several kinds of table; its entries decide which kind."""
    if type(None) in hints:
        return _read_value(hints[0], value, key)
    table = value if isinstance(value, Mapping) else {}
    if NetworkFeatures in hints:
        features = NetworkFeatures if "network" in table else HandcraftedFeatures
        return _read_table(features, value, key + ".")
    kind = _read_choice(ClassifierKind, table.get("kind"), key + ".kind")
    return _read_table(_CLASSIFIERS[kind], value, key + ".")


def _read_scalar(hint: type[Any], value: object, key: str) -> object:
    if issubclass(hint, StrEnum):
        return _read_choice(hint, value, key)
    accepted_types = (int, float) if hint is float else (hint,)
    if type(value) not in accepted_types or not _is_bounded(value):
        shortened = str(value)[:MAX_SHOWN_CHARACTERS]
        raise RecipeInvalid(key=key, problem=f"{shortened!r} is no {hint.__name__}")
    return hint(value)


def _read_choice(kind: type[Choice], value: object, key: str) -> Choice:
    if value not in list(kind):
        raise RecipeInvalid(key=key, problem=f"{value!r} is none of {', '.join(kind)}")
    return kind(str(value))


def _is_bounded(value: object) -> bool:
    """Return whether arithmetic and the ledger can hold a value.

    An infinity, a number beyond all floats and a text with NUL are refused.
    """
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
    if recipe.outline:
        outline = recipe.outline
        with_roi = outline.outlines + outline.boxes + outline.loose_boxes
        ranges |= {
            "outline.folds": (recipe.outline.folds, 2, 10),
            "outline.phantoms": (recipe.outline.phantoms, 0, MAX_OUTLINED_PHANTOMS),
            "outline.input_px": (recipe.outline.input_px, 64, 512),
            "outline.outlines": (recipe.outline.outlines, 0, MAX_LABELLERS_OUTLINES),
            "outline.boxes": (recipe.outline.boxes, 0, 1),
            "outline.loose_boxes": (recipe.outline.loose_boxes, 0, 1),
            "outline.outlines + outline.boxes + outline.loose_boxes": (with_roi, 0, 1),
        }
    for index, features in enumerate(recipe.features):
        if isinstance(features, HandcraftedFeatures):
            ranges[f"features[{index}].levels"] = (features.levels, 2, 256)
            ranges[f"features[{index}].distance"] = (features.distance, 1, 32)
    for key, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise RecipeInvalid(
                key=key, problem=f"{value} is not between {low} and {high}"
            )
    for index, classifier in enumerate(recipe.classifiers):
        _check_positive(f"classifiers[{index}]", classifier)
    if recipe.phantoms:
        _check_positive("phantoms", recipe.phantoms, exempt=("momentum", "decay"))
    if recipe.outline:
        shares = ("outlines", "boxes", "loose_boxes")
        _check_positive("outline", recipe.outline, exempt=(*shares, "phantoms"))
    if recipe.tuning:
        exempt = ("momentum", "decays", "average")
        _check_positive("tuning", recipe.tuning, exempt=exempt)


def _check_positive(
    path: str, table: "DataclassInstance", exempt: tuple[str, ...] = ()
) -> None:
    """Check that every number of a table is above 0, except in the exempt fields."""
    for field in fields(table):
        if field.name in exempt:
            continue
        for number in _numbers(getattr(table, field.name)):
            if number <= 0:
                raise RecipeInvalid(
                    key=f"{path}.{field.name}", problem=f"{number} is not above 0"
                )


def _numbers(value: object) -> Iterator[float]:
    """Yield the numbers in a field's value, which may be a tuple. A bool does not count as one."""
    entries = value if isinstance(value, tuple) else (value,)
    for entry in entries:
        if isinstance(entry, int | float) and not isinstance(entry, bool):
            yield entry


def _check_consistency(recipe: Recipe) -> None:
    """Refuse entries that are valid one by one but contradict each other."""
    names = [features.name for features in recipe.features]
    concatenated_names = set(chain.from_iterable(recipe.concatenations))
    _check_names("concatenations", concatenated_names, names)
    _check_names("study.concatenate", recipe.study.concatenate, names)
    _check_concatenations(recipe)
    for index, classifier in enumerate(recipe.classifiers):
        read_names = chain.from_iterable(
            name.split(CONCATENATION_SIGN) for name in classifier.reads
        )
        _check_names(f"classifiers[{index}].reads", set(read_names), [*names, *ALL])
    labels = [recipe.label(component) for component in recipe.all_components()]
    if len(set(labels)) < len(labels) or len(set(names)) < len(names):
        raise RecipeInvalid(
            key="features",
            problem=(
                "two feature sets, or two classifiers, have the same name; "
                "give a `label`"
            ),
        )
    _check_members("fusion", recipe.fusion, labels)
    for ensemble in recipe.ensembles:
        _check_members(f"ensembles.{ensemble.name}", ensemble, labels)
    _check_tuning(recipe)


def _check_members(
    key: str, fusion: Fusion | Ensemble, labels: Collection[str]
) -> None:
    members = set(labels) if fusion.members == ALL else set(fusion.members)
    unknown = members - set(labels)
    if unknown:
        raise RecipeInvalid(
            key=f"{key}.members",
            problem=f"{', '.join(sorted(unknown))}: no such reader",
        )
    if not members:
        raise RecipeInvalid(
            key=f"{key}.members", problem="no classifier reads any of the feature sets"
        )
    if fusion.rule is FusionRule.VOTE and len(members) < 2:
        raise RecipeInvalid(
            key=f"{key}.rule", problem="a vote needs at least two readers"
        )


def _check_names(
    key: str, names: Collection[str], valid_names: Collection[str]
) -> None:
    unknown = set(names) - set(valid_names)
    if unknown:
        raise RecipeInvalid(
            key=key, problem=f"{', '.join(sorted(unknown))}: no such feature set"
        )


def _check_concatenations(recipe: Recipe) -> None:
    names_by_key = {
        f"concatenations[{index}]": names
        for index, names in enumerate(recipe.concatenations)
    }
    if recipe.study.concatenate:
        names_by_key["study.concatenate"] = recipe.study.concatenate
    for key, names in names_by_key.items():
        if not 2 <= len(set(names)) == len(names) <= MAX_CONCATENATED_SETS:
            raise RecipeInvalid(
                key=key,
                problem=(
                    f"two to {MAX_CONCATENATED_SETS} different feature sets are put together"
                ),
            )


def _check_tuning(recipe: Recipe) -> None:
    """Check that a recipe with tuned networks has the table `phantoms` or `tuning`."""
    tunings = {
        features.tuning
        for features in (*recipe.features, *recipe.study.features)
        if isinstance(features, NetworkFeatures)
    }
    if Tuning.PHANTOMS in tunings:
        recipe.phantom_training()
    if tunings & set(SUPERVISED_TUNINGS):
        recipe.tuning_plan()
