"""A fabricated study, with every section filled from made-up scores."""

from collections.abc import Mapping

import numpy as np

from shared.learning.features.table import SkippedImage
from shared.recipes import load_recipe
from shared.statistics import fit_sigmoid, youden_cutoff
from shared.study.results import MissingRow, Row, Section, Study

JUDGES = {
    Section.TUNED: {
        "alexnet": {"network": "alexnet", "tuning": "fine-tune"},
        "vgg16": {"network": "vgg16"},
    },
    Section.FEATURES: {
        f"{network} {kind}": {
            "network": network,
            "tap": "fc2",
            "tuning": "none",
            "classifier": kind,
        }
        for network in ("alexnet", "vgg19")
        for kind in ("svm", "forest")
    },
    Section.SMALL_CONCATENATIONS: {
        f"A+{letter} svm": {"members": f"A, {letter}", "classifier": "svm"}
        for letter in "OVRI"
    },
    Section.LARGE_CONCATENATIONS: {
        "A+O+V+R forest": {"members": "A, O, V, R", "classifier": "forest"}
    },
    Section.ENSEMBLES: {
        "(a) alexnet": {"members": "svm, forest of alexnet", "rule": "mean"}
    },
    Section.MODEL: {"light": {"rule": "weighted"}},
}


def study(
    count: int = 60, seed: int = 0, people: bool = True, **changed: object
) -> Study:
    """`count` images, every third malignant, two of each patient, at two sites; scores of different
    worth.
    """
    random = np.random.default_rng(seed)
    malignant = np.arange(count) % 3 == 0
    rows = [
        scored(section, name, facts, malignant, random)
        for section, judges in JUDGES.items()
        for name, facts in judges.items()
    ]
    facts = {
        "recipe": load_recipe("light"),
        "images": tuple(f"images/{place:03}.png" for place in range(count)),
        "malignant": malignant,
        "groups": np.array([f"patient /{place // 2}" for place in range(count)]),
        "sites": np.array(
            ["north" if place % 2 else "south" for place in range(count)]
        ),
        "rows": (*rows, *(persons(malignant, random) if people else ())),
        "folds": 6,
        "seed": seed,
        "fingerprint": "ab" * 32,
        "missing_rows": (
            MissingRow(
                Section.TUNED, "overfeat_accurate", "There are no weights for it."
            ),
        ),
        "skipped": (SkippedImage("key-of-a-broken-one", "image-unreadable"),),
        "settings": {
            "alexnet svm": {"kernel": "rbf", "C": 4.0},
            "alexnet": {"epochs": 12, "rate": 0.001},
        },
    }
    return Study(**{**facts, **changed})


def scored(
    section: Section,
    name: str,
    facts: Mapping[str, str],
    malignant: np.ndarray,
    random: np.random.Generator,
) -> Row:
    scores = 1 / (1 + np.exp(-random.normal(malignant * random.uniform(1, 2.5) - 1, 1)))
    positive = scores >= youden_cutoff(scores, malignant)
    risks = (
        fit_sigmoid(scores, malignant).apply(scores)
        if section is Section.MODEL
        else None
    )
    return Row(
        section, name, facts, positive, scores, risks, np.ones(malignant.size, bool)
    )


def persons(malignant: np.ndarray, random: np.random.Generator) -> list[Row]:
    """One who decides on all images, one who decides on most, one who rates."""
    everything = np.ones(malignant.size, bool)
    decides = {"judgement": "benign or malignant", "cut-off": "the person's own"}
    first = np.where(random.random(malignant.size) < 0.85, malignant, ~malignant)
    second = np.where(random.random(malignant.size) < 0.7, malignant, ~malignant)
    most_cases = np.arange(malignant.size) % 7 != 0
    ratings = np.clip(np.round(random.normal(2 + malignant * 2, 1)), 1, 5)
    return [
        Row(Section.READERS, "kim", decides, first, None, None, everything),
        Row(
            Section.READERS, "lee", decides, second & most_cases, None, None, most_cases
        ),
        Row(
            Section.READERS,
            "park",
            {"judgement": "rating", "cut-off": "4"},
            ratings >= 4,
            ratings,
            None,
            everything,
        ),
    ]
