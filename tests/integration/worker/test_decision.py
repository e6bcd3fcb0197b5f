import hashlib
import shutil

import cv2
import pytest

from shared.bundles.storage import publish
from shared.domain.audit.events import Event
from shared.domain.results.findings import Finding
from shared.phantoms import draw
from tests.support.builders import as_format_2, encode, png


@pytest.fixture
def choose(ledger):
    """Sets the hospital's settings as its administrator does."""

    def choose(**settings):
        with ledger.system_session("test") as session:
            session.hospitals.change(session.hospitals.ensure("north"), settings)

    return choose


@pytest.fixture
def old_bundle(bundles, tmp_path):
    return as_format_2(shutil.copytree(list(bundles.values())[1], tmp_path / "old"))


@pytest.fixture
def answer(service, send, find, promote, choose):
    """The result of an image under these settings."""
    promote(1)

    def result(seed=3, **settings):
        choose(**settings)
        job = send(png(seed))
        service.work()
        return find(job).result

    return result


def codes(result):
    return {warning.code for warning in result.warnings}


def test_without_settings_the_cutoff_is_youdens_and_no_set_is_made(answer, small_model):
    result = answer()
    assert (result.cutoff, result.cutoff_rule, result.conformal) == (
        small_model.cutoff,
        "youden",
        None,
    )


def test_a_target_sensitivity_takes_effect_with_the_next_case(answer, small_model):
    default = answer()
    targeted = answer(target_sensitivity=0.9)
    point = next(
        point for point in small_model.evidence.operating_points if point.target == 0.9
    )
    assert default.cutoff_rule == "youden"
    assert targeted.cutoff == point.cutoff
    assert targeted.cutoff_rule == "sensitivity>=0.9"
    assert targeted.score == default.score
    assert answer(target_sensitivity=None).cutoff_rule == "youden"


def test_the_decision_is_the_hospitals_cutoff_unless_it_is_to_refer(answer):
    for seed in range(4):
        result = answer(seed, target_sensitivity=0.8)
        expected = "malignant" if result.score >= result.cutoff else "benign"
        if "out-of-distribution" in codes(result):
            expected = "refer"
        assert result.decision == expected


def test_an_undecidable_case_is_referred_with_a_sentence(answer):
    """With 12 calibration images of a class no p-value is below 1/13, so 5 % keeps both classes."""
    result = answer(refer_alpha=0.05)
    assert result.decision == "refer"
    assert result.conformal.set == ("benign", "malignant")
    message = next(
        warning.message for warning in result.warnings if warning.code == "uncertain"
    )
    assert "error level of 5 %" in message
    assert "may be benign or malignant" in message
    assert "radiologist" in message


def test_the_set_holds_the_classes_whose_p_value_exceeds_alpha(answer):
    for seed in range(4):
        result = answer(seed, refer_alpha=0.3)
        conformal = result.conformal
        p_values = {"benign": conformal.benign_p, "malignant": conformal.malignant_p}
        assert conformal.alpha == 0.3
        assert conformal.set == tuple(
            name for name, p_value in p_values.items() if p_value > 0.3
        )
        assert ("uncertain" in codes(result)) == (not conformal.certain)


def test_each_result_leaves_one_observation_as_the_result_says_it(answer, ledger):
    result = answer(refer_alpha=0.05)
    with ledger.engine.begin() as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM observations").mappings()
    assert [row[name] for name in ("score", "risk", "decision", "cutoff")] == [
        getattr(result, name) for name in ("score", "risk", "decision", "cutoff")
    ]
    assert row["model_digest"] == result.model.digest
    assert row["benign_p"] == result.conformal.benign_p
    assert row["strangeness"] > 0
    assert 1 <= len(row["embedding"]) <= 8
    assert set(row["warnings"]) == codes(result)


def test_a_lost_lease_leaves_no_observation(service, send, promote, ledger):
    promote(1)
    send()
    service._live.refresh()
    batch = service._claim_batch().batch
    answers = service._infer(batch)
    with ledger.system_session("other") as session:
        session.queue.give_back(batch.token, batch.job_ids, service._lease)
    service._write(batch, answers)
    with ledger.engine.begin() as connection:
        assert (
            connection.exec_driver_sql("SELECT count(*) FROM observations").scalar()
            == 0
        )


def test_a_model_without_evidence_uses_youdens_cutoff_and_warns_the_reader(
    service, send, find, ledger, objects, choose, old_bundle
):
    digest = publish(old_bundle, objects)
    with ledger.system_session("test") as session:
        session.models.store(
            digest=digest,
            name="old",
            recipe="small",
            run_id=None,
            synthetic=False,
            metrics={},
        )
        session.models.promote(digest, "test", None)
    choose(target_sensitivity=0.95, refer_alpha=0.1)
    job = send()
    service.work()
    result = find(job).result
    assert (result.cutoff_rule, result.conformal) == ("youden", None)
    message = next(
        warning.message
        for warning in result.warnings
        if warning.code == "setting-unmet"
    )
    assert "sensitivity and referring uncertain cases" in message


def test_a_change_is_on_record_with_before_and_after(ledger, choose):
    choose(prevalence=0.1, refer_alpha=0.2)
    choose(prevalence=0.2, refer_alpha=0.2)
    choose(prevalence=0.2)
    with ledger.system_session("test") as session:
        details = [
            event.details
            for event in session.audit.page()
            if event.event == Event.HOSPITAL_CHANGED
        ]
    assert details == [
        {
            "before": {"prevalence": None, "refer_alpha": None},
            "after": {"prevalence": 0.1, "refer_alpha": 0.2},
        },
        {"before": {"prevalence": 0.1}, "after": {"prevalence": 0.2}},
    ]


REPAIRED = Finding("header-contradicts-pixels", "The header was wrong.", {"planes": 1})


def test_findings_of_intake_are_the_first_warnings_of_the_result(
    service, send, find, promote
):
    promote(1)
    job = send(png(3), findings=[REPAIRED.to_json()])
    service.work()
    assert find(job).result.warnings[0] == REPAIRED


def test_findings_of_intake_are_kept_when_a_job_runs_again(
    service, send, find, promote, ledger, objects
):
    promote(1)
    job = send(findings=[REPAIRED.to_json()])
    sha256 = hashlib.sha256(png(3)).hexdigest()
    objects.delete(sha256)
    service.work()
    assert find(job).reason == "object-missing"
    objects.put(png(3))
    with ledger.system_session("test") as session:
        assert session.dead_letters.rerun(job)
    service.work()
    assert find(job).result.warnings[0] == REPAIRED


@pytest.mark.parametrize(
    ("policy", "warns"), [(None, True), ("warn", True), ("blank", True), ("off", False)]
)
def test_burnt_in_text_is_a_warning_unless_the_hospital_wants_none(
    policy, warns, service, send, find, promote, choose
):
    promote(1)
    choose(blank_text=policy)
    pixels = draw(3, size_px=128).pixels.copy()
    pixels[:30] = 0
    cv2.putText(pixels, "DOE JANE", (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230)
    job = send(encode(pixels))
    service.work()
    assert ("burnt-in-text" in codes(find(job).result)) is warns
