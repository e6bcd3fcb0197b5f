import json
from dataclasses import replace

import numpy as np
import pytest

from shared.domain.models import GateReason, GateVerdict, Weight
from shared.statistics import shift_prior
from shared.statistics.model_life.gate import (
    GatePolicy,
    judge_candidate,
)
from shared.statistics.model_life.gate_predictions import (
    ModelPredictions,
    RoiKindPredictions,
)
from shared.statistics.model_life.left_out_sites import (
    AreaInterval,
    LeftOutSiteRow,
    LeftOutSites,
)

CASES = 200
SITES = ["north", "south"] * (CASES // 2)
POLICY = GatePolicy()
LABELS = np.random.default_rng(1).random(CASES) < 0.5


def readings(quality=3.0, cutoff=0.5, seed=2, **changes):
    """A model's calibrated readings; the higher its quality, the fewer it confuses."""
    logits = (
        np.random.default_rng(seed).normal(size=CASES) * quality**0.5
        + (LABELS - 0.5) * quality
    )
    risks = 1 / (1 + np.exp(-logits))
    values = {
        "scores": risks,
        "risks": risks,
        "decisions": risks >= cutoff,
        "referrals": np.zeros(CASES),
        "prevalence": 0.5,
    }
    return ModelPredictions(**values | changes)


def judge(
    candidate,
    live=None,
    policy=POLICY,
    labels=LABELS,
    sites=SITES,
    patients=None,
    sizes_mm=None,
    roi_kinds=(),
    left_out=None,
):
    return judge_candidate(
        candidate,
        live,
        labels,
        sites,
        policy=policy,
        patients=patients,
        sizes_mm=sizes_mm,
        roi_kinds=roi_kinds,
        left_out=left_out,
    )


def codes(judgement, weight):
    return {reason.code for reason in judgement.reasons if reason.weight is weight}


def test_a_candidate_as_good_as_the_live_model_passes_with_all_its_figures():
    judgement = judge(readings(8), readings(8, seed=3))
    assert judgement.verdict is GateVerdict.PASSED
    assert codes(judgement, Weight.FOR) == {
        "auc-not-worse",
        "sensitivity-kept",
        "sites-kept",
        "calibrated",
    }
    figures = json.loads(json.dumps(judgement.figures, allow_nan=False))
    assert (figures["images"], figures["malignant"]) == (CASES, LABELS.sum())
    assert figures["candidate"]["auc"]["low"] < figures["candidate"]["auc"]["value"]
    assert figures["comparison"].keys() >= {
        "difference",
        "low",
        "high",
        "p_value",
        "margin",
    }
    assert [row["site"] for row in figures["sites"]] == ["north", "south"]
    assert figures["worst_site"] in ("north", "south")
    assert judgement.policy == {**vars(POLICY)}


def test_what_is_drawn_of_both_models_is_kept_with_the_judgement():
    sizes = [5.0, 15.0, 30.0, None] * (CASES // 4)
    figures = judge_candidate(
        readings(8), readings(8, seed=3), LABELS, SITES, POLICY, sizes_mm=sizes
    ).figures
    for side in ("candidate", "live"):
        drawn = figures[side]["evaluation"]
        assert sum(drawn["table"].values()) == CASES
        assert sum(row["count"] for row in drawn["calibration"]) == CASES
        assert [row["band"] for row in drawn["sizes"]] == [
            "under-10",
            "10-20",
            "20-40",
            "unknown",
        ]
        assert [row["site"] for row in drawn["sites"]] == ["north", "south"]
    paired = figures["paired"]
    comparison = figures["comparison"]
    assert paired["difference"] == comparison["difference"]
    assert paired["low"] < comparison["low"] < comparison["high"] < paired["high"]


def test_a_worse_candidate_fails_on_its_auc_alone():
    judgement = judge(readings(6), readings(30))
    assert judgement.verdict is GateVerdict.FAILED
    assert codes(judgement, Weight.AGAINST) == {"auc-worse"}
    assert ": inferior." in str(judgement.objections[0])


def test_where_the_images_cannot_show_that_it_is_no_worse_it_fails_and_is_told_what_helps():
    judgement = judge(readings(8), readings(8, seed=3), replace(POLICY, margin=0.001))
    assert codes(judgement, Weight.AGAINST) == {"auc-not-shown"}
    assert "More images narrow the interval" in str(judgement.objections[0])


def test_a_candidate_that_finds_too_few_fails_on_its_sensitivity_alone():
    candidate = readings(8, cutoff=0.97)
    judgement = judge(candidate, readings(8), sites=[None] * CASES)
    assert codes(judgement, Weight.AGAINST) == {"sensitivity-below-floor"}
    assert "at least 80%" in str(judgement.objections[0])


def test_risks_that_are_off_fail_on_their_calibration_alone():
    sure = readings(8)
    judgement = judge(readings(8, risks=sure.risks / 4), sure)
    assert codes(judgement, Weight.AGAINST) == {"calibration-off"}


def test_risks_are_judged_at_the_prevalence_of_the_test_images():
    """Risks calibrated at another prevalence are right after conversion, as in the service."""
    shifted = shift_prior(readings(8).risks, 0.5, 0.1)
    assert (
        judge(readings(8, risks=shifted, prevalence=0.1)).verdict is GateVerdict.PASSED
    )
    assert judge(readings(8, risks=shifted)).verdict is GateVerdict.FAILED


def test_without_a_live_model_the_floors_decide():
    judgement = judge(readings(8))
    assert judgement.verdict is GateVerdict.PASSED
    assert codes(judgement, Weight.NOTE) == {
        "no-live-model",
        "sizes-not-judged",
        "roi-kinds-not-judged",
        "left-out-sites-unknown",
    }
    assert judgement.figures["comparison"] is judgement.figures["live"] is None
    assert judge(readings(8, cutoff=0.97)).verdict is GateVerdict.FAILED


@pytest.mark.parametrize("malignant", [0, 3, 9, CASES - 9, CASES])
def test_too_few_images_of_a_class_are_not_judged(malignant):
    labels = np.arange(CASES) < malignant
    judgement = judge(readings(), readings(), labels=labels)
    assert judgement.verdict is GateVerdict.NOT_JUDGED
    assert codes(judgement, Weight.AGAINST) == {"too-few-test-images"}
    counts = {
        "images": CASES,
        "malignant": malignant,
        "benign": CASES - malignant,
        "patients": CASES,
    }
    assert judgement.figures == counts


def test_every_reason_becomes_a_sentence_of_its_figures_when_it_was_kept():
    judgement = judge(readings(6), readings(30))
    stored = json.loads(json.dumps([reason.to_json() for reason in judgement.reasons]))
    restored = [GateReason.from_json(reason) for reason in stored]
    assert [str(reason.message) for reason in restored] == [
        str(reason.message) for reason in judgement.reasons
    ]
    assert str(restored[0].message).startswith("AUC 0.")


def test_no_test_images_at_all_are_not_judged():
    no_predictions = ModelPredictions([], [], [], [], 0.5)
    assert judge(no_predictions, labels=[], sites=[]).verdict is GateVerdict.NOT_JUDGED


def test_images_that_it_cannot_read_count_against_a_candidate():
    complete = readings(8)
    incomplete = readings(8)
    unread = np.flatnonzero(LABELS)[:40]
    for column in (incomplete.scores, incomplete.risks):
        column[unread] = np.nan
    judgement = judge(incomplete, complete, sites=[None] * CASES)
    assert codes(judgement, Weight.AGAINST) == {"auc-worse", "sensitivity-below-floor"}
    assert codes(judgement, Weight.NOTE) >= {"images-unread"}
    assert judgement.figures["candidate"]["unread"] == 40
    json.dumps(judgement.figures, allow_nan=False)


def test_a_candidate_that_reads_nothing_fails_and_its_figures_can_be_kept():
    blind = readings(scores=np.full(CASES, np.nan), risks=np.full(CASES, np.nan))
    judgement = judge(blind, readings(8))
    assert judgement.verdict is GateVerdict.FAILED
    assert judgement.figures["candidate"]["auc"]["value"] == 0
    assert "calibration-unknown" in codes(judgement, Weight.AGAINST)
    json.dumps(judgement.figures, allow_nan=False)


def test_a_site_where_few_are_found_fails_alone_and_is_named_the_worst():
    decisions = np.where(np.array(SITES) == "south", 0, readings(8).decisions)
    policy = replace(POLICY, sensitivity_floor=0.4)
    judgement = judge(readings(8, decisions=decisions), policy=policy)
    assert judgement.verdict is GateVerdict.FAILED
    assert codes(judgement, Weight.AGAINST) == {"site-below-floor"}
    assert "At south it finds 0 of" in str(judgement.objections[0])
    assert judgement.figures["worst_site"] == "south"


def test_a_site_that_misses_a_few_by_chance_does_not_fail():
    few = [*["small"] * 6, *SITES[6:]]
    decisions = readings(8).decisions.copy()
    decisions[np.flatnonzero(LABELS[:6])[:1]] = 0
    judgement = judge(readings(8, decisions=decisions), sites=few)
    assert "sites-kept" in codes(judgement, Weight.FOR)


def test_one_site_says_nothing_of_others():
    judgement = judge(readings(8), sites=[None] * CASES)
    assert judgement.verdict is GateVerdict.PASSED
    assert "one-site" in codes(judgement, Weight.NOTE)


SIZES = [5.0, 15.0, 30.0, 50.0] * (CASES // 4)


def test_risks_that_are_off_at_one_size_only_fail_there():
    """Over all sizes the errors of small and large nodules hide each other."""
    sure = readings(8)
    small = np.array(SIZES) < 10
    policy = replace(POLICY, calibration_limit=0.15)
    risks = np.where(small, np.clip(1.0 - sure.risks, 0.01, 0.99), sure.risks)
    judgement = judge(readings(8, risks=risks), policy=policy, sizes_mm=SIZES)
    objection = next(
        reason
        for reason in judgement.reasons
        if reason.code == "calibration-off-at-size"
    )
    assert objection.weight is Weight.AGAINST
    assert str(objection.message).startswith("Nodules under 10 mm: on their 50 images")
    rows = judgement.figures["candidate"]["evaluation"]["sizes"]
    errors = {row["band"]: row["calibration"]["error"] for row in rows}
    assert max(errors, key=errors.get) == "under-10"
    others = [reason.facts.get("from_mm") for reason in judgement.reasons]
    assert not {10.0, 20.0, 40.0} & set(others)


@pytest.mark.parametrize(
    ("size_mm", "words"),
    [
        (15.0, "Nodules of 10 to under 20 mm: "),
        (50.0, "Nodules of 40 mm and more: "),
    ],
)
def test_an_objection_names_the_sizes(size_mm, words):
    sure = readings(8)
    judgement = judge(readings(8, risks=sure.risks / 4), sizes_mm=[size_mm] * CASES)
    assert words in " ".join(map(str, judgement.objections))


def test_calibrated_risks_pass_at_every_size():
    judgement = judge(readings(8), sizes_mm=SIZES)
    assert judgement.verdict is GateVerdict.PASSED
    assert "calibrated-by-size" in codes(judgement, Weight.FOR)


def test_sizes_that_are_unknown_or_few_are_not_judged():
    few = [*[5.0] * (POLICY.least_of_size - 1), *[None] * CASES][:CASES]
    for sizes in (few, [None] * CASES):
        judgement = judge(readings(8), sizes_mm=sizes)
        assert "sizes-not-judged" in codes(judgement, Weight.NOTE)
        rows = judgement.figures["candidate"]["evaluation"]["sizes"]
        assert rows[-1]["band"] == "unknown"
        assert rows[-1]["calibration"]["images"] >= CASES - POLICY.least_of_size


def test_an_interval_of_the_sensitivity_below_the_floor_is_noted():
    sensitivity = judge(readings(8)).figures["candidate"]["sensitivity"]
    between = (sensitivity["low"] + sensitivity["value"]) / 2
    judgement = judge(readings(8), policy=replace(POLICY, sensitivity_floor=between))
    assert judgement.verdict is GateVerdict.PASSED
    assert "sensitivity-uncertain" in codes(judgement, Weight.NOTE)


def test_images_of_no_known_site_have_a_row_of_their_own():
    judgement = judge(readings(8), sites=[None, *SITES[1:]])
    assert [row["site"] for row in judgement.figures["sites"]] == [
        "(no site)",
        "north",
        "south",
    ]
    assert judgement.figures["sites"][0]["auc"] is None


def test_referred_images_are_counted_and_decide_nothing():
    referred = np.arange(CASES) < 7
    judgement = judge(readings(8, referrals=referred))
    assert judgement.figures["candidate"]["referred"] == 7
    assert judgement.verdict is judge(readings(8)).verdict


def test_images_of_the_same_patients_widen_the_intervals():
    alone = judge(readings(8), readings(8, seed=3)).figures
    patients = [f"p{case // 4}" for case in np.argsort(readings(8).scores).argsort()]
    together = judge(readings(8), readings(8, seed=3), patients=patients).figures
    assert (alone["patients"], together["patients"]) == (CASES, CASES // 4)
    assert together["candidate"]["auc"]["value"] == pytest.approx(
        alone["candidate"]["auc"]["value"]
    )
    assert together["candidate"]["auc"]["low"] < alone["candidate"]["auc"]["low"]
    assert (
        together["comparison"]["standard_error"]
        != alone["comparison"]["standard_error"]
    )


def test_malignant_images_of_a_single_patient_are_not_judged():
    patients = np.where(LABELS, "one", np.arange(CASES).astype(str))
    assert judge(readings(8), patients=patients).verdict is GateVerdict.NOT_JUDGED


ALL_ROWS = np.arange(CASES)


def read_with(kind, candidate, live=None, rows=ALL_ROWS):
    return RoiKindPredictions(kind=kind, rows=rows, candidate=candidate, live=live)


def of_rows(predictions, rows):
    values = {
        name: np.asarray(getattr(predictions, name))[rows]
        for name in ("scores", "risks", "decisions", "referrals")
    }
    return replace(predictions, **values)


def test_a_candidate_that_is_as_good_with_every_kind_of_roi_passes():
    candidate = readings(8)
    live = readings(8, seed=3)
    kinds = [
        read_with(kind, candidate, live)
        for kind in ("outline", "box", "loose-box", "none")
    ]
    judgement = judge(candidate, live, roi_kinds=kinds)
    assert judgement.verdict is GateVerdict.PASSED
    assert "roi-kinds-kept" in codes(judgement, Weight.FOR)
    figures = json.loads(json.dumps(judgement.figures, allow_nan=False))
    rows = figures["roi_kinds"]
    assert [row["kind"] for row in rows] == ["outline", "box", "loose-box", "none"]
    assert rows[0]["auc"] == pytest.approx(figures["candidate"]["auc"])
    assert rows[0]["live_auc"] == pytest.approx(figures["live"]["auc"])
    assert rows[0]["sensitivity"] == figures["candidate"]["sensitivity"]


def test_a_candidate_that_is_worse_than_the_live_model_without_an_roi_fails_there_alone():
    good = readings(8)
    live = readings(8, seed=3)
    lost = replace(good, scores=readings(0.3, seed=4).scores)
    kinds = [read_with("box", good, live), read_with("none", lost, live)]
    judgement = judge(good, live, roi_kinds=kinds)
    assert judgement.verdict is GateVerdict.FAILED
    assert codes(judgement, Weight.AGAINST) == {"roi-kind-worse"}
    [objection] = judgement.objections
    assert str(objection).startswith("Read with no ROI: AUC 0.")
    assert str(objection).endswith(": inferior.")


def test_a_live_model_that_is_as_bad_without_an_roi_does_not_stop_a_candidate():
    good = readings(8)
    lost = replace(good, scores=readings(0.3, seed=4).scores)
    judgement = judge(good, good, roi_kinds=[read_with("none", lost, lost)])
    assert judgement.verdict is GateVerdict.PASSED


def test_without_a_live_model_the_auc_of_each_kind_has_a_floor():
    good = readings(8)
    guessed = np.random.default_rng(9).random(CASES)
    kinds = [
        read_with("box", good),
        read_with("loose-box", replace(good, scores=guessed * 0.5)),
    ]
    policy = replace(POLICY, roi_auc_floor=0.7)
    judgement = judge(good, policy=policy, roi_kinds=kinds)
    assert codes(judgement, Weight.AGAINST) == {"roi-kind-auc-below-floor"}
    assert "a box off by up to 30 % as ROI" in str(judgement.objections[0])
    lower = replace(POLICY, roi_auc_floor=0.45)
    assert judge(good, policy=lower, roi_kinds=kinds).verdict is GateVerdict.PASSED


def test_a_candidate_that_finds_too_few_with_one_kind_of_roi_fails_there():
    good = readings(8)
    blind = replace(good, decisions=np.zeros(CASES))
    judgement = judge(good, roi_kinds=[read_with("none", blind)])
    assert codes(judgement, Weight.AGAINST) == {"roi-kind-sensitivity-below-floor"}
    assert f"finds 0 of {LABELS.sum()} malignant images only" in str(
        judgement.objections[0]
    )


def test_images_that_cannot_be_read_with_a_kind_of_roi_count_as_wrong_there():
    good = readings(8)
    unread = replace(good, scores=np.full(CASES, np.nan), risks=np.full(CASES, np.nan))
    judgement = judge(good, roi_kinds=[read_with("none", unread)])
    assert "roi-kind-sensitivity-below-floor" in codes(judgement, Weight.AGAINST)


@pytest.mark.parametrize("count", [0, 2 * POLICY.least_of_each_class - 1])
def test_a_kind_of_roi_with_too_few_images_is_not_judged(count):
    good = readings(8)
    rows = np.concatenate(
        [np.flatnonzero(LABELS)[: count // 2], np.flatnonzero(~LABELS)[: count // 2]]
    )
    kinds = [read_with("box", of_rows(good, rows), rows=rows)] if count else []
    judgement = judge(good, roi_kinds=kinds)
    assert "roi-kinds-not-judged" in codes(judgement, Weight.NOTE)
    assert judgement.figures["roi_kinds"] == []


def test_a_candidate_that_is_worse_than_plain_averages_at_left_out_sites_fails():
    row = LeftOutSiteRow("north", 100, 50, None, found=30, cleared=30)
    areas = {
        "recipe": AreaInterval(0.6, 0.5, 0.7),
        "baseline": AreaInterval(0.8, 0.7, 0.9),
    }
    sites = LeftOutSites((row,), areas, AreaInterval(-0.2, -0.3, -0.1))
    judgement = judge(readings(8), readings(8, seed=3), left_out=sites)
    assert judgement.verdict is GateVerdict.FAILED
    assert codes(judgement, Weight.AGAINST) == {"left-out-sites-worse"}
    figures = json.loads(json.dumps(judgement.figures, allow_nan=False))
    assert figures["left_out_sites"]["rows"][0]["site"] == "north"
