import json
from pathlib import Path

import pytest

from cli.commands import predict
from shared.bundles import load, save
from shared.imaging import Framing
from shared.imaging.files import read_nodule
from shared.phantoms import draw
from tests.builders import encode


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
    (folder / "manifest.csv").write_text("image,mask\n2.png,mask2.png\nbroken.png,\n0.png,\n")
    (folder / "header.csv").write_text("image,malignant\n")
    (folder / "empty.csv").touch()
    return folder


def test_json_holds_score_risk_and_decision_in_the_order_given(sera, bundle, images):
    names = [str(images / name) for name in ("2.png", "0.png")]
    code, out, _ = sera("predict", *names, "--bundle", bundle, "--json")
    told = json.loads(out)
    expected = load(bundle).predict([read_nodule(Path(name), None, Framing(0.1)) for name in names])
    assert code == 0
    assert told == [
        {"image": name, "score": of.score, "risk": of.risk, "decision": str(of.decision)}
        for name, of in zip(names, expected, strict=True)
    ]


def test_an_image_that_cannot_be_read_keeps_its_place_and_ends_with_1(sera, bundle, images):
    code, out, _ = sera(
        "predict",
        images / "broken.png",
        images / "0.png",
        images / "gone.png",
        "--bundle",
        bundle,
        "--json",
    )
    broken, good, gone = json.loads(out)
    assert code == 1
    assert set(good) == {"image", "score", "risk", "decision"}
    assert set(broken) == set(gone) == {"image", "error"}
    assert set(broken["error"]) == {"code", "message"}
    assert broken["error"]["code"] == "image-unsupported"
    assert gone["error"]["code"] == "file-unreadable"
    assert "gone.png cannot be opened (No such file or directory)" in gone["error"]["message"]


def test_a_manifest_gives_images_and_masks_after_those_named(sera, bundle, images):
    code, out, _ = sera(
        "predict",
        images / "0.png",
        "--bundle",
        bundle,
        "--manifest",
        images / "manifest.csv",
        "--json",
    )
    named, masked, broken, again = json.loads(out)
    outlined = load(bundle).predict(
        [read_nodule(images / "2.png", images / "mask2.png", Framing(0.1))]
    )[0]
    assert code == 1
    assert [one["image"] for one in (named, masked, broken, again)] == [
        str(images / "0.png"),
        "2.png",
        "broken.png",
        "0.png",
    ]
    assert masked["score"] == pytest.approx(outlined.score, abs=1e-6)
    assert again["score"] == pytest.approx(named["score"], abs=1e-6)


def test_batches_give_what_one_batch_gives(sera, bundle, images, monkeypatch):
    asked = ("predict", "--bundle", bundle, "--manifest", images / "manifest.csv", "--json")
    whole = sera(*asked)
    monkeypatch.setattr(predict, "AT_ONCE", 1)
    single = sera(*asked)
    for one, other in zip(json.loads(whole[1]), json.loads(single[1]), strict=True):
        assert one.keys() == other.keys()
        assert one.get("score") == pytest.approx(other.get("score"), abs=1e-6)


def test_people_get_a_table(sera, bundle, images, monkeypatch):
    monkeypatch.chdir(images)
    code, out, _ = sera("predict", "1.png", "broken.png", "--bundle", bundle)
    assert code == 1
    head, good, bad = (line for line in out.splitlines() if not line.startswith(" "))
    assert head.split() == ["image", "score", "risk", "decision"]
    assert "1.png" in good
    assert "%" in good
    assert "broken.png" in bad


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{images}/0.png", "--bundle", "{images}/nowhere"], r"[bundle-missing]"),
        (["--bundle", "{bundle}"], "[nothing-to-predict]"),
        (["--bundle", "{bundle}", "--manifest", "{images}/header.csv"], "[nothing-to-predict]"),
        (
            ["--bundle", "{bundle}", "--manifest", "{images}/empty.csv"],
            "lacks image. [manifest-invalid]",
        ),
        (
            ["--bundle", "{bundle}", "--manifest", "{images}/gone.csv"],
            "there is no such file. [manifest-invalid]",
        ),
    ],
)
def test_bad_input_is_told_in_one_sentence(sera, bundle, images, arguments, told):
    code, out, err = sera(
        "predict", *(argument.format(images=images, bundle=bundle) for argument in arguments)
    )
    assert (code, out) == (1, "")
    assert err.startswith("SERA: ")
    assert err.strip().endswith(told)
    assert len(err.splitlines()) == 1
