from dataclasses import replace

import numpy as np
import pytest

from shared.recipes import RoiKind
from shared.statistics import roc_auc
from shared.study.report.roi_kinds import roi_kinds_table
from shared.study.results import Row, Section


def row(scores: np.ndarray, cutoff: float) -> Row:
    return Row(
        section=Section.MODEL,
        name="",
        facts={},
        decisions=scores >= cutoff,
        scores=scores,
        risks=None,
        judgement_mask=np.ones(len(scores), bool),
    )


@pytest.fixture(scope="module")
def by_kind(fabricated):
    """The outline's scores, and without an ROI the same ones with a tenth turned round."""
    count = len(fabricated.malignant)
    scores = np.linspace(0, 1, count)[np.random.default_rng(0).permutation(count)]
    turned = scores.copy()
    turned[: count // 10] = 1 - turned[: count // 10]
    rows = {RoiKind.OUTLINE: row(scores, 0.5), RoiKind.NONE: row(turned, 0.5)}
    return replace(fabricated, roi_kinds=rows)


def test_without_rois_there_is_no_table(fabricated):
    assert roi_kinds_table(replace(fabricated, roi_kinds={})).rows == ()


def test_each_kind_has_its_own_area(by_kind):
    table = roi_kinds_table(by_kind)
    assert [record["roi"] for record in table.records] == ["outline", "none"]
    for kind, record in zip(by_kind.roi_kinds, table.records, strict=True):
        scores = by_kind.roi_kinds[kind].scores
        assert record["auc"] == pytest.approx(roc_auc(scores, by_kind.malignant))


def test_what_changes_is_counted_against_the_outline(by_kind):
    outline, none = roi_kinds_table(by_kind).records
    first, second = by_kind.roi_kinds.values()
    differing = int(np.sum(first.decisions != second.decisions))
    assert differing
    assert none["changed"] == pytest.approx(differing / len(first.decisions))
    assert 0 < none["rank_correlation"] < 1
    assert (outline["changed"], outline["rank_correlation"]) == (0, pytest.approx(1))
