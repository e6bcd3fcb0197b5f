"""The results of an experiment: the scores of every judge on the same images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from shared.learning.features.table import SkippedImage
from shared.recipes import Recipe, RoiKind

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Section(StrEnum):
    """The tables of the report, in their order."""

    TUNED = "tuned"
    """Networks tuned end to end and judged by their own softmax."""
    FEATURES = "features"
    """One feature set with one classifier, with and without tuning."""
    SMALL_CONCATENATIONS = "concatenation-2-3"
    LARGE_CONCATENATIONS = "concatenation-4-6"
    ENSEMBLES = "ensembles"
    """(a) SVM and forest of one network, (b) one classifier on each network, (c) all together."""
    MODEL = "model"
    """The recipe's own fused model, which is in the bundle."""
    READERS = "readers"
    """People, from the manifest's reader columns."""


@dataclass(frozen=True, eq=False)
class Row:
    """One judge of the images: a classifier, an ensemble or a person.

    Attributes
    ----------
    facts : further columns of the tables, by name: `network`, `tap`, `tuning`, `classifier`,
        `members`, `rule`
    decisions : (N,) called malignant, each image at a cut-off chosen on other folds; False if not
        judged
    scores : (N,) out of fold, higher = more likely malignant; None for a person who only decides
    risks : (N,) calibrated probability of malignancy, out of fold; None if there is none
    judgement_mask : (N,) the images that the judge judged
    """

    section: Section
    name: str
    facts: Mapping[str, str]
    decisions: Flags
    scores: Scores | None
    risks: Scores | None
    judgement_mask: Flags


@dataclass(frozen=True)
class MissingRow:
    """A row of a table that could not be computed, and a sentence with the reason."""

    section: Section
    name: str
    reason: str


class Candidate(StrEnum):
    """A model that is judged at left-out sites beside the recipe's own."""

    BASELINE = "baseline"
    """plain averages of the recipe's networks in the ROI's box, with one SVM"""
    ADAPTED = "adapted"
    """the recipe, each site's features standardised by the site's own images"""
    ADAPTED_BY_OTHERS = "adapted_by_others"
    """the same by the images of the other half of the site's patients"""


@dataclass(frozen=True, eq=False)
class SitesOut:
    """The recipe's model, judged at each site by a fit on all other sites alone.

    Attributes
    ----------
    row : scores, risks and decisions of the fits that never saw the image's site; an image is
        judged if its site could be
    problems : the reason for each site that could not be judged
    candidates : the same of other models
    """

    row: Row
    problems: Mapping[str, str]
    candidates: Mapping[Candidate, Row] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Study:
    """The results of an experiment on N images.

    Attributes
    ----------
    images : (N,) the images' paths as the manifest names them
    malignant : (N,) labels
    groups : (N,) unit that was never split: the patient if known, else the image itself
    sites : (N,) hospital, "" if unknown
    skipped : images that could not be read
    settings : the chosen settings (kernel, C, epochs, rate ...) by the name of the judge
    sites_out : the model at sites that it was not fitted on; None with fewer than two sites
    roi_kinds : the model with each kind of ROI; empty if most images have none
    """

    recipe: Recipe
    images: tuple[str, ...]
    malignant: Flags
    groups: NDArray[np.str_]
    sites: NDArray[np.str_]
    rows: tuple[Row, ...]
    folds: int
    seed: int
    fingerprint: str
    missing_rows: tuple[MissingRow, ...] = ()
    skipped: tuple[SkippedImage, ...] = ()
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    sites_out: SitesOut | None = None
    roi_kinds: Mapping[RoiKind, Row] = field(default_factory=dict)
