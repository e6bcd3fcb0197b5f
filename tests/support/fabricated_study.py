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
    count: int = 60, seed: int = 0, people: bool = True, **changes: object
) -> Study:
    """A study of `count` images, every third malignant, at two sites.

    Each patient has two images. The scores of the judges differ in quality. `changes` replaces
    fields.
    """
    random = np.random.default_rng(seed)
    malignant = np.arange(count) % 3 == 0
    rows = []
    for section, judges in JUDGES.items():
        for name, facts in judges.items():
            rows.append(_judge_row(section, name, facts, malignant, random))
    if people:
        rows += _reader_rows(malignant, random)
    missing_row = MissingRow(
        section=Section.TUNED,
        name="overfeat_accurate",
        reason="There are no weights for it.",
    )
    fields = {
        "recipe": load_recipe("light"),
        "images": tuple(f"images/{number:03}.png" for number in range(count)),
        "malignant": malignant,
        "groups": np.array([f"patient /{number // 2}" for number in range(count)]),
        "sites": np.array(
            ["north" if number % 2 else "south" for number in range(count)]
        ),
        "rows": tuple(rows),
        "folds": 6,
        "seed": seed,
        "fingerprint": "ab" * 32,
        "missing_rows": (missing_row,),
        "skipped": (SkippedImage("key-of-a-broken-one", "image-unreadable"),),
        "settings": {
            "alexnet svm": {"kernel": "rbf", "C": 4.0},
            "alexnet": {"epochs": 12, "rate": 0.001},
        },
    }
    return Study(**{**fields, **changes})


def _judge_row(
    section: Section,
    name: str,
    facts: Mapping[str, str],
    malignant: np.ndarray,
    random: np.random.Generator,
) -> Row:
    logits = random.normal(malignant * random.uniform(1, 2.5) - 1, 1)
    scores = 1 / (1 + np.exp(-logits))
    risks = None
    if section is Section.MODEL:
        risks = fit_sigmoid(scores, malignant).apply(scores)
    return Row(
        section=section,
        name=name,
        facts=facts,
        decisions=scores >= youden_cutoff(scores, malignant),
        scores=scores,
        risks=risks,
        judgement_mask=np.ones(malignant.size, bool),
    )


def _reader_rows(malignant: np.ndarray, random: np.random.Generator) -> list[Row]:
    """Three people: kim decides on all images, lee decides on most of them, park rates."""
    all_images = np.ones(malignant.size, bool)
    most_images = np.arange(malignant.size) % 7 != 0
    kim_is_correct = random.random(malignant.size) < 0.85
    lee_is_correct = random.random(malignant.size) < 0.7
    kim_decisions = np.where(kim_is_correct, malignant, ~malignant)
    lee_decisions = np.where(lee_is_correct, malignant, ~malignant)
    ratings = np.clip(np.round(random.normal(2 + malignant * 2, 1)), 1, 5)
    decision_facts = {
        "judgement": "benign or malignant",
        "cut-off": "the person's own",
    }
    return [
        Row(
            section=Section.READERS,
            name="kim",
            facts=decision_facts,
            decisions=kim_decisions,
            scores=None,
            risks=None,
            judgement_mask=all_images,
        ),
        Row(
            section=Section.READERS,
            name="lee",
            facts=decision_facts,
            decisions=lee_decisions & most_images,
            scores=None,
            risks=None,
            judgement_mask=most_images,
        ),
        Row(
            section=Section.READERS,
            name="park",
            facts={"judgement": "rating", "cut-off": "4"},
            decisions=ratings >= 4,
            scores=ratings,
            risks=None,
            judgement_mask=all_images,
        ),
    ]
