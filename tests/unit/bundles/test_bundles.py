import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import pytest
import safetensors.numpy
import skops.io

from shared.bundles import (
    BundleExists,
    BundleFormatUnknown,
    BundleMissing,
    BundleNotReproduced,
    BundleTampered,
    BundleUnreadable,
    UntrustedType,
    assemble_folder,
    list_files,
    load,
    save,
)
from shared.bundles.belonging import BELONGING_FILE
from shared.bundles.ledger_record import reference_record
from shared.imaging import Framing
from shared.imaging.image import Nodule
from tests.support.builders import as_format_2


@pytest.fixture
def copied(saved, tmp_path):
    """A bundle's folder that a test may change."""
    return shutil.copytree(saved[0], tmp_path / "copy")


def rewrite(folder, **changes):
    """Change the manifest without changing the digest of any other file."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def replace_file(folder, path, content):
    """Change a file and its hash in the manifest."""
    (folder / path).write_bytes(content)
    entries = json.loads((folder / "manifest.json").read_bytes())["files"]
    entries[path] = {"sha256": sha256(content).hexdigest(), "size": len(content)}
    rewrite(folder, files=entries)


def test_a_loaded_bundle_predicts_as_the_model_that_was_saved(saved, model, nodules):
    bundle = load(*saved)
    assert bundle.digest == saved[1]
    for prediction, expected in zip(
        bundle.predict(nodules), model.predict(nodules), strict=True
    ):
        assert prediction.score == pytest.approx(expected.score, abs=1e-6)
        assert (prediction.decision, prediction.cutoff, prediction.findings) == (
            expected.decision,
            expected.cutoff,
            expected.findings,
        )
        assert [(c.network, c.tap, c.classifier) for c in prediction.components] == [
            (c.network, c.tap, c.classifier) for c in expected.components
        ]


def test_a_bad_nodule_fails_alone(saved, nodules):
    hollow = Nodule(nodules[0].pixels, np.zeros_like(nodules[0].mask))
    outcomes = load(*saved).predict_each([nodules[0], hollow])
    assert [getattr(outcome, "code", "fine") for outcome in outcomes] == [
        "fine",
        "region-empty",
    ]


def test_the_manifest_describes_the_model(saved, model):
    bundle = load(*saved)
    manifest = bundle.manifest
    assert manifest.synthetic
    assert (manifest.name, manifest.classes) == ("small", ("benign", "malignant"))
    assert manifest.training.benign == manifest.training.malignant == 12
    assert bundle.prevalence == 0.5
    assert bundle.framing == Framing(0.1)
    assert manifest.metrics == dict(model.metrics)
    assert "torch" in manifest.libraries


def test_every_file_has_a_data_format(saved):
    endings = {path.suffix for path in saved[0].rglob("*") if path.is_file()}
    assert endings == {".json", ".safetensors", ".skops"}


def test_another_digest_than_the_expected_one_is_refused(saved):
    with pytest.raises(BundleTampered, match=r"manifest\.json"):
        load(saved[0], "0" * 64)


@pytest.mark.parametrize("ending", ["safetensors", "skops"])
def test_a_changed_byte_is_found(copied, ending):
    for path in copied.rglob(f"*.{ending}"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(BundleTampered, match=path.name):
            load(copied)
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def test_a_missing_file_is_named(copied):
    (copied / "novelty.safetensors").unlink()
    with pytest.raises(BundleUnreadable, match="novelty"):
        load(copied)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path):
    with pytest.raises(BundleMissing):
        load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 1},
        {"surprise": 1},
        {"cutoff": "high"},
        {"evidence": None},
        {"format": None},
        {"format": 2},
        {"files": {"../../outside.skops": {"sha256": "0", "size": 1}}},
        {"files": {"/etc/passwd": {"sha256": "0", "size": 1}}},
        {"files": {}},
    ],
)
def test_an_invalid_manifest_is_refused(copied, changes):
    rewrite(copied, **changes)
    with pytest.raises(BundleUnreadable):
        load(copied)


def test_a_bundle_of_format_2_answers_without_p_values(copied, saved, nodules):
    as_format_2(copied)
    old = load(copied)
    new = load(*saved)
    assert old.model.evidence is None
    assert reference_record(old) is None
    for prediction, expected in zip(
        old.predict(nodules), new.predict(nodules), strict=True
    ):
        without_p_values = replace(
            expected, benign_p=None, malignant_p=None, risk_interval=None
        )
        assert prediction == without_p_values


def test_a_loaded_bundle_judges_whole_pictures_as_the_model_that_was_saved(
    saved, model, nodules
):
    loaded = load(*saved).model
    assert loaded.belonging.limit == model.belonging.limit
    assert loaded.belonging.coloured_share == model.belonging.coloured_share
    for prediction, expected in zip(
        loaded.predict(nodules), model.predict(nodules), strict=True
    ):
        assert prediction.frame_distance == pytest.approx(expected.frame_distance)
        assert prediction.risk_interval == expected.risk_interval


def test_a_bundle_from_before_whole_pictures_were_judged_answers_without(
    copied, saved, nodules
):
    entries = json.loads((copied / "manifest.json").read_bytes())["files"]
    del entries[BELONGING_FILE]
    rewrite(copied, files=entries)
    old = load(copied)
    assert (old.model.frames, old.model.belonging) == (None, None)
    for prediction, expected in zip(
        old.predict(nodules), load(*saved).predict(nodules), strict=True
    ):
        assert prediction == replace(expected, frame_distance=None)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("numbers", np.array([1.0, 0.0, 0.0]), "not positive"),
        ("numbers", np.array([1.0, 2.0]), "malformed numbers"),
        ("mean", np.zeros(3, np.float32), "malformed mean"),
        ("spread", np.zeros(96, np.float32), "malformed spread|not positive"),
    ],
)
def test_a_malformed_file_of_whole_pictures_is_refused(copied, name, value, problem):
    arrays = safetensors.numpy.load((copied / BELONGING_FILE).read_bytes())
    replace_file(
        copied, BELONGING_FILE, safetensors.numpy.save({**arrays, name: value})
    )
    with pytest.raises(BundleUnreadable, match=problem):
        load(copied)


def test_a_bundle_that_judges_golden_pictures_otherwise_is_refused(copied):
    arrays = safetensors.numpy.load((copied / BELONGING_FILE).read_bytes())
    changed = {**arrays, "golden": arrays["golden"] * 1.1}
    replace_file(copied, BELONGING_FILE, safetensors.numpy.save(changed))
    with pytest.raises(BundleNotReproduced, match="golden case 0"):
        load(copied)


def test_a_newer_format_is_named_whatever_else_it_contains(copied):
    rewrite(copied, format=9, surprise=1)
    with pytest.raises(
        BundleFormatUnknown, match=r"format 9.* reads the formats 2 and 3"
    ):
        load(copied)


def test_loaded_evidence_equals_the_saved_evidence(saved, model):
    evidence = load(*saved).model.evidence
    expected = model.evidence
    for name in ("operating_points", "coverage", "calibration"):
        assert getattr(evidence, name) == getattr(expected, name)
    for name in ("score", "risk", "novelty", "embedding"):
        np.testing.assert_array_equal(
            getattr(evidence.reference, name), getattr(expected.reference, name)
        )
    np.testing.assert_array_equal(evidence.conformal.benign, expected.conformal.benign)
    np.testing.assert_array_equal(
        evidence.conformal.malignant, expected.conformal.malignant
    )


def test_a_model_without_its_evidence_is_not_saved(model, tmp_path):
    with pytest.raises(ValueError, match="evidence"):
        save(replace(model, evidence=None), tmp_path / "bundle", synthetic=True)


def test_evidence_without_an_array_is_refused(copied):
    replace_file(
        copied, "evidence.safetensors", safetensors.numpy.save({"score": np.zeros(101)})
    )
    with pytest.raises(BundleUnreadable, match="lacks benign"):
        load(copied)


def test_a_nodule_has_the_same_p_values_and_embedding_alone_and_in_a_batch(
    saved, nodules
):
    bundle = load(*saved)
    for in_batch, nodule in zip(bundle.predict(nodules), nodules, strict=True):
        (alone,) = bundle.predict([nodule])
        assert (alone.benign_p, alone.malignant_p) == (
            in_batch.benign_p,
            in_batch.malignant_p,
        )
        assert alone.strangeness == pytest.approx(in_batch.strangeness, rel=1e-3)
        assert alone.embedding == pytest.approx(in_batch.embedding, abs=1e-3)
        assert min(alone.benign_p, alone.malignant_p) >= 1 / 13


def test_the_reference_record_is_plain_json_and_complete(saved):
    bundle = load(*saved)
    record = json.loads(json.dumps(reference_record(bundle), allow_nan=False))
    assert record["fractions"][50] == 0.5
    assert {
        len(record["quantiles"][name]) for name in ("score", "risk", "strangeness")
    } == {101}
    assert {len(component) for component in record["quantiles"]["embedding"]} == {101}
    assert (record["youden"]["sensitivity"]["of"], len(record["coverage"])) == (12, 30)
    assert record["operating_points"][0].keys() == {
        "target",
        "cutoff",
        "promised",
        "sensitivity",
        "specificity",
    }
    assert (record["youden"]["cutoff"], record["prevalence"]) == (
        bundle.model.cutoff,
        0.5,
    )


def test_an_object_of_another_type_is_never_built(copied):
    for untrusted in (np.random.default_rng(0), print, skops.io.dumps, {"a": object}):
        replace_file(copied, "classifiers/0-svm.skops", skops.io.dumps(untrusted))
        with pytest.raises(UntrustedType, match="0-svm"):
            load(copied)


def test_a_classifier_file_that_is_no_skops_is_refused(copied):
    replace_file(copied, "classifiers/0-svm.skops", b"not a zip")
    with pytest.raises(BundleUnreadable, match="0-svm"):
        load(copied)


def test_a_weight_file_that_is_no_safetensors_is_refused(copied):
    replace_file(copied, "networks/0-sera_tiny.safetensors", b"not tensors")
    with pytest.raises(BundleUnreadable, match="sera_tiny"):
        load(copied)


def test_a_bundle_that_no_longer_gives_its_golden_scores_is_refused(copied):
    golden = json.loads((copied / "manifest.json").read_bytes())["golden"]
    rewrite(
        copied, golden={**golden, "scores": [score + 0.1 for score in golden["scores"]]}
    )
    with pytest.raises(BundleNotReproduced, match="golden case 0"):
        load(copied)


def test_a_bundle_is_never_overwritten(saved, model):
    with pytest.raises(BundleExists):
        save(model, saved[0], synthetic=True)


def test_saving_leaves_no_other_file(model, tmp_path):
    save(
        model,
        tmp_path / "deep" / "one",
        synthetic=False,
        created=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["one"]
    assert (
        load(tmp_path / "deep" / "one").manifest.created == "2026-01-02T00:00:00+00:00"
    )


def test_a_bundle_is_assembled_from_files_stored_by_hash(saved, tmp_path):
    folder, digest = saved
    store = {
        entry.sha256: (folder / path).read_bytes()
        for path, entry in list_files(folder).items()
    }
    assert digest in store
    assemble_folder(digest, store.__getitem__, tmp_path / "fetched")
    assert load(tmp_path / "fetched", digest).digest == digest


def test_other_bytes_from_the_store_are_refused(saved, tmp_path):
    folder, digest = saved
    manifest = (folder / "manifest.json").read_bytes()
    with pytest.raises(BundleTampered):
        assemble_folder(
            digest,
            lambda key: manifest if key == digest else b"other",
            tmp_path / "fetched",
        )
    with pytest.raises(BundleTampered, match="manifest"):
        assemble_folder(digest, lambda key: b"{}", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
