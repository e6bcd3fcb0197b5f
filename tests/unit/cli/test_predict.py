import json
import re
from pathlib import Path

import pytest

from cli.commands import predict
from shared.bundles import load, save
from shared.cases.result import advise, risk_at
from shared.domain.results.model_reference import GateStanding, ModelReference
from shared.domain.results.result import Result
from shared.guidelines import DEFAULT_RULE
from shared.imaging import Framing, Nodule, Roi, crop
from shared.imaging.files import read_marked_image
from shared.phantoms import draw
from tests.support.builders import encode


@pytest.fixture(scope="module")
def bundle(small_model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "small"
    save(small_model, folder, synthetic=True)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms with their masks, a file that is no image, and manifests."""
    folder = tmp_path_factory.mktemp("images")
    for seed in range(3):
        phantom = draw(900 + seed, malignant=bool(seed % 2), size_px=128)
        (folder / f"{seed}.png").write_bytes(encode(phantom.pixels))
        (folder / f"mask{seed}.png").write_bytes(encode(phantom.mask * 255))
    (folder / "broken.png").write_text("no image")
    (folder / "manifest.csv").write_text(
        "image,mask\n2.png,mask2.png\nbroken.png,\n0.png,\n"
    )
    (folder / "header.csv").write_text("image,malignant\n")
    (folder / "empty.csv").touch()
    (folder / "unsized.csv").write_text("image,size_mm\n0.png,large\n")
    return folder


def cut_nodule(path: Path, mask: Path | None = None, roi: Roi | None = None) -> Nodule:
    marked = read_marked_image(path, mask=mask, roi=roi)
    return crop(marked.image, marked.roi, Framing(0.1))


def test_json_holds_each_result_in_the_order_given(sera, bundle, images):
    names = [str(images / name) for name in ("2.png", "0.png")]
    code, stdout, _ = sera("predict --json --size-mm 14.5 --bundle", bundle, *names)
    answers = json.loads(stdout)
    loaded = load(bundle)
    nodules = [cut_nodule(Path(name)) for name in names]
    assert code == 0
    assert [answer.pop("image") for answer in answers] == names
    for answer, expected in zip(answers, loaded.predict(nodules), strict=True):
        result = Result.from_json(answer)
        assert (result.score, result.decision) == (expected.score, expected.decision)
        assert result.risk == pytest.approx(
            risk_at(0.23, expected.risk, loaded.prevalence)
        )
        assert result.prevalence == 0.23
        assert result.fna == advise(result.risk, 14.5, DEFAULT_RULE)
        manifest = loaded.manifest
        assert result.model == ModelReference(
            name="small",
            version=None,
            digest=loaded.digest,
            synthetic=True,
            gate=GateStanding.NOT_ASKED,
            training_images=manifest.training.images,
            training_malignant=manifest.training.malignant,
            cross_validated_auc=manifest.metrics["auc"],
        )
        assert result.warns("synthetic-model")


def test_prevalence_and_rule_are_those_stated(sera, bundle, images):
    rule = "risk-band/K-TIRADS-2021/1"
    options = f"--prevalence 0.05 --fna-rule {rule} --size-mm 9"
    image = images / "0.png"
    _, rare_stdout, _ = sera(f"predict --json {options} --bundle", bundle, image)
    _, default_stdout, _ = sera("predict --json --bundle", bundle, image)
    (rare,) = json.loads(rare_stdout)
    (default,) = json.loads(default_stdout)
    assert rare["risk"] < default["risk"]
    assert (rare["prevalence"], default["prevalence"]) == (0.05, 0.23)
    assert rare["score"] == default["score"]
    assert (rare["fna"]["rule"], rare["fna"]["size_mm"]) == (rule, 9)


def test_settings_of_the_environment_are_the_defaults(
    sera, bundle, images, monkeypatch
):
    monkeypatch.setenv("SERA_PREVALENCE", "0.4")
    monkeypatch.setenv("SERA_FNA_RULE", "risk-band/K-TIRADS-2016/1")
    options = ("--json", "--size-mm", "9")
    _, stdout, _ = sera("predict", images / "0.png", "--bundle", bundle, *options)
    (answer,) = json.loads(stdout)
    assert (answer["prevalence"], answer["fna"]["rule"]) == (
        0.4,
        "risk-band/K-TIRADS-2016/1",
    )


def test_without_a_size_there_is_no_advice_and_that_is_told(sera, bundle, images):
    _, stdout, _ = sera("predict", images / "0.png", "--bundle", bundle, "--json")
    (answer,) = json.loads(stdout)
    assert answer["fna"] is None
    assert "size-not-given" in {warning["code"] for warning in answer["warnings"]}
    _, stdout, _ = sera("predict", images / "0.png", "--bundle", bundle)
    assert "No FNA advice for 1 of 1 images: their size was not given." in stdout
    _, stdout, _ = sera("predict --size-mm 12 --bundle", bundle, images / "0.png")
    assert "No FNA advice" not in stdout


def test_an_image_that_cannot_be_read_keeps_its_place_and_ends_with_1(
    sera, bundle, images
):
    files = [images / name for name in ("broken.png", "0.png", "gone.png")]
    code, stdout, _ = sera("predict --json --bundle", bundle, *files)
    broken, good, missing = json.loads(stdout)
    assert code == 1
    assert Result.from_json(good).components
    assert set(broken) == set(missing) == {"image", "error"}
    assert set(broken["error"]) == {"code", "message"}
    assert broken["error"]["code"] == "image-unsupported"
    assert missing["error"]["code"] == "file-unreadable"
    assert (
        "gone.png cannot be opened (No such file or directory)"
        in missing["error"]["message"]
    )


def test_a_manifests_own_sizes_come_before_the_one_stated(sera, bundle, images):
    (images / "sizes.csv").write_text("image,size_mm\n0.png,8.5\n1.png,\n")
    options = ("--manifest", images / "sizes.csv", "--size-mm", "20", "--json")
    _, stdout, _ = sera("predict", "--bundle", bundle, *options)
    assert [answer["fna"]["size_mm"] for answer in json.loads(stdout)] == [8.5, 20.0]


def test_a_manifest_gives_images_and_masks_after_those_named(sera, bundle, images):
    options = ("--bundle", bundle, "--manifest", images / "manifest.csv")
    code, stdout, _ = sera("predict --json", images / "0.png", *options)
    named, masked, broken, repeated = json.loads(stdout)
    outlined = load(bundle).predict(
        [cut_nodule(images / "2.png", mask=images / "mask2.png")]
    )[0]
    assert code == 1
    assert [answer["image"] for answer in (named, masked, broken, repeated)] == [
        str(images / "0.png"),
        "2.png",
        "broken.png",
        "0.png",
    ]
    assert masked["score"] == pytest.approx(outlined.score, abs=1e-6)
    assert repeated["score"] == pytest.approx(named["score"], abs=1e-6)


def test_a_manifest_gives_the_roi(sera, bundle, images):
    roi = Roi(box=(20, 30, 60, 50))
    cell = roi.to_json().replace('"', '""')
    (images / "rois.csv").write_text(f'image,roi\n0.png,"{cell}"\n1.png,nothing\n')
    options = ("--manifest", images / "rois.csv", "--json")
    code, stdout, _ = sera("predict", "--bundle", bundle, *options)
    boxed, broken = json.loads(stdout)
    nodule = cut_nodule(images / "0.png", roi=roi)
    [expected] = load(bundle).predict([nodule])
    assert (code, broken["error"]["code"]) == (1, "roi-invalid")
    assert boxed["score"] == pytest.approx(expected.score, abs=1e-6)


def test_batches_give_what_one_batch_gives(sera, bundle, images, monkeypatch):
    options = ("--bundle", bundle, "--manifest", images / "manifest.csv")
    _, one_batch, _ = sera("predict --json", *options)
    monkeypatch.setattr(predict, "BATCH_IMAGES", 1)
    _, single, _ = sera("predict --json", *options)
    for answer, expected in zip(json.loads(one_batch), json.loads(single), strict=True):
        assert answer.keys() == expected.keys()
        assert answer.get("score") == pytest.approx(expected.get("score"), abs=1e-6)


def test_people_get_a_table(sera, bundle, images, monkeypatch):
    monkeypatch.chdir(images)
    arguments = ("1.png", "broken.png", "--bundle", bundle, "--size-mm", "12")
    code, stdout, _ = sera("predict", *arguments)
    assert code == 1
    head, good, bad, *_ = (
        line for line in stdout.splitlines() if not line.startswith(" ")
    )
    assert tuple(head.split()) == predict.COLUMNS
    assert "1.png" in good
    assert "%" in good
    assert re.search(r"TR\d +(yes|no) ", good)
    assert "roi-absent" in good
    assert "broken.png" in bad
    assert "Risk where 23 % of nodules are malignant" in stdout
    assert "FNA by risk-band/ACR-2017/1" in stdout
    assert "synthetic phantoms" in stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{images}/0.png", "--bundle", "{images}/nowhere"], r"[bundle-missing]"),
        (["--bundle", "{bundle}"], "[nothing-to-predict]"),
        (
            ["--bundle", "{bundle}", "--manifest", "{images}/header.csv"],
            "[nothing-to-predict]",
        ),
        (
            ["--bundle", "{bundle}", "--manifest", "{images}/empty.csv"],
            "lacks image. [manifest-invalid]",
        ),
        (
            ["--bundle", "{bundle}", "--manifest", "{images}/gone.csv"],
            "there is no such file. [manifest-invalid]",
        ),
        (
            ["--bundle", "{bundle}", "--manifest", "{images}/unsized.csv"],
            "has the size_mm 'large', which is no number of mm above 0. [manifest-invalid]",
        ),
        (
            ["{images}/0.png", "--bundle", "{bundle}", "--size-mm", "0"],
            "[size-invalid]",
        ),
        (
            ["{images}/0.png", "--bundle", "{bundle}", "--prevalence", "1"],
            "[probability-invalid]",
        ),
        (
            ["{images}/0.png", "--bundle", "{bundle}", "--fna-rule", "own"],
            "[rule-unknown]",
        ),
    ],
)
def test_bad_input_is_told_in_one_sentence(sera, bundle, images, arguments, message):
    code, stdout, err = sera(
        "predict",
        *(argument.format(images=images, bundle=bundle) for argument in arguments),
    )
    assert (code, stdout) == (1, "")
    assert err.startswith("SERA: ")
    assert err.strip().endswith(message)
    assert len(err.splitlines()) == 1
