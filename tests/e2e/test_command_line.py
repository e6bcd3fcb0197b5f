"""The commands as a user runs them beside a running stack: what they print, and how they end."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.phantoms import draw
from tests.e2e.stage import ROOT, Changeover, Stage
from tests.support.builders import encode, png

pytestmark = pytest.mark.timeout(600)  # the first test waits for a model to be trained


@pytest.fixture(autouse=True)
def model(changeover: Changeover) -> str:
    """The digest of the live model."""
    return changeover.run["model_digest"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "nodule.png"
    path.write_bytes(png(5))
    return path


def manifest(folder: Path, rows: list[dict[str, str]]) -> Path:
    columns = dict.fromkeys(name for row in rows for name in row)
    with (folder / "manifest.csv").open("w", newline="") as file:
        lines = csv.DictWriter(file, list(columns))
        lines.writeheader()
        lines.writerows(rows)
    return folder


def one_sentence(stderr: str, code: str) -> str:
    """An error is one line, without a traceback, that ends with its code."""
    line = stderr.strip()
    assert line.startswith("SERA: ")
    assert line.endswith(f". [{code}]")
    assert "\n" not in line
    return line


def test_submit_prints_the_result_in_words(
    stage: Stage, recipe_name: str, image: Path, model: str
) -> None:
    done = stage.sera("submit --size-mm 18 --roi 20,20,80,90", str(image))
    assert done.returncode == 0, done.stderr
    advice, risk, interval, side, *others = done.stdout.splitlines()
    assert "18.0 mm" in advice
    assert risk.startswith("Risk of malignancy ")
    assert "the uncertainty of the risk" in interval
    assert re.match("The score is (above|below) the model's cut-off", side)
    assert f"Model {recipe_name}/1 ({model[:12]})." in others
    assert any("trained on synthetic phantoms" in line for line in others)


def test_submit_prints_the_job_as_json(stage: Stage, image: Path, model: str) -> None:
    job = stage.sera_json("submit --size-mm 18 --urgent --json", str(image))
    assert (job["state"], job["result"]["model"]["digest"]) == ("done", model)


def test_submit_of_a_broken_image_says_why_and_exits_1(
    stage: Stage, tmp_path: Path
) -> None:
    broken = tmp_path / "half.png"
    broken.write_bytes(png(1)[:2000])
    done = stage.sera("submit", str(broken), "--size-mm", "18")
    assert (done.returncode, done.stdout) == (1, "")
    one_sentence(done.stderr, "image-unreadable")


def test_submit_of_an_even_image_says_why_the_case_failed_and_exits_1(
    stage: Stage, tmp_path: Path
) -> None:
    even = tmp_path / "even.png"
    even.write_bytes(encode(np.full((128, 128), 90, np.uint8)))
    done = stage.sera("submit", str(even), "--size-mm", "18")
    assert done.returncode == 1
    assert done.stdout.startswith("The case ended as failed: ")
    assert len(done.stdout.splitlines()) == 1


def test_submit_of_what_is_no_image_is_refused_in_one_sentence(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no image at all, only words " * 10)
    done = stage.sera("submit", str(tmp_path / "text.png"), "--size-mm", "18")
    assert (done.returncode, done.stdout) == (1, "")
    one_sentence(done.stderr, "image-unsupported")


def test_submit_with_an_roi_beyond_the_image_is_refused_in_one_sentence(
    stage: Stage, image: Path
) -> None:
    done = stage.sera("submit --size-mm 18 --roi 100,100,90,90", str(image))
    assert done.returncode == 1
    assert "128 x 128" in one_sentence(done.stderr, "roi-outside-image")


def test_submit_with_a_size_that_cannot_be_is_refused_in_one_sentence(
    stage: Stage, image: Path
) -> None:
    done = stage.sera("submit", str(image), "--size-mm", "nan")
    assert done.returncode == 1
    assert "'nan'" in one_sentence(done.stderr, "size-invalid")


def test_a_new_key_lets_a_hospital_submit_and_see_its_own_cases_only(
    stage: Stage, image: Path
) -> None:
    output = stage.sera("key", "create", "--hospital", "west")
    key = output.stdout.strip()
    assert (output.returncode, key[:5], len(key.split())) == (0, "sera_", 1)
    assert "cannot be shown again" in output.stderr
    job = stage.sera_json(
        "submit", str(image), "--size-mm", "12", "--json", SERA_KEY=key
    )
    name = "SELECT name FROM hospitals h JOIN jobs j ON j.hospital_id = h.id WHERE j.id::text = :id"
    assert stage.rows(name, id=job["job_id"]) == [("west",)]


def test_the_keys_that_a_machine_keeps_for_itself_are_its_users_alone(
    stage: Stage,
) -> None:
    keys_folder = stage.stack.home.root / "keys"
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in (keys_folder, *keys_folder.iterdir())
    }
    assert modes.pop("keys") == 0o700
    assert set(modes.values()) == {0o600}


def test_a_key_that_needs_a_hospital_asks_for_its_name(stage: Stage) -> None:
    done = stage.sera("key", "create")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--hospital NAME" in one_sentence(done.stderr, "key-needs-hospital")


def test_a_wrong_key_is_said_to_be_wrong(stage: Stage, image: Path) -> None:
    done = stage.sera(
        "submit", str(image), "--size-mm", "12", SERA_KEY="sera_0123456789ab_wrong"
    )
    assert done.returncode == 1
    one_sentence(done.stderr, "unauthenticated")


def test_models_are_listed_shown_and_promoted(
    stage: Stage, recipe_name: str, changeover: Changeover, model: str
) -> None:
    listed = {
        item["digest"]: (item["name"], item["version"], item["live"])
        for item in stage.sera_json("models", "list", "--json")
    }
    assert listed[model] == (recipe_name, 1, True)
    assert listed[changeover.digest_before] == ("first", 1, False)
    model_facts = stage.sera_json("models", "show", model[:12], "--json")
    assert (
        model_facts["digest"],
        model_facts["metrics"]["images"],
        model_facts["synthetic"],
    ) == (
        model,
        60,
        True,
    )
    back = stage.sera("models", "promote", "first/1", "--reason", "to go back")
    assert back.stdout.startswith(f"first/1 ({changeover.digest_before[:12]}) is live.")
    assert stage.live() == changeover.digest_before
    assert (
        stage.sera(
            "models", "promote", f"{recipe_name}/1", "--reason", "to go on with"
        ).returncode
        == 0
    )
    assert stage.live() == model


def test_the_list_of_models_is_a_table_with_the_live_one_marked(
    stage: Stage, model: str
) -> None:
    lines = stage.sera("models", "list").stdout.splitlines()
    assert [model[:12] in line for line in lines if "*" in line] == [True]
    assert all("…" not in line for line in lines)


def test_an_unknown_model_is_said_to_be_unknown(stage: Stage) -> None:
    for command in ("show", "promote"):
        done = stage.sera("models", command, "nobody")
        assert done.returncode == 1
        assert "'nobody'" in one_sentence(done.stderr, "model-unknown")


@pytest.mark.parametrize(
    ("dataset", "recipe", "code"),
    [
        ("phantoms", "no-such-recipe", "recipe-unknown"),
        ("no-such-data", "starter", "dataset-unknown"),
        ("phantoms", str(ROOT / "shared/recipes/starter.toml"), "recipe-unknown"),
    ],
)
def test_training_with_an_unknown_name_is_refused_in_one_sentence(
    stage: Stage, dataset: str, recipe: str, code: str
) -> None:
    done = stage.sera("train", "--dataset", dataset, "--recipe", recipe)
    assert (done.returncode, done.stdout) == (1, "")
    one_sentence(done.stderr, code)


def test_a_training_run_that_cannot_succeed_says_why_and_exits_1(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "only.png").write_bytes(png(900))
    folder = manifest(tmp_path, [{"image": "only.png", "malignant": "1"}])
    assert (
        stage.sera("dataset", "import", str(folder), "--name", "lonely").returncode == 0
    )
    done = stage.sera("train", "--dataset", "lonely", "--recipe", "starter")
    assert done.returncode == 1
    assert done.stdout.startswith("The run ended as failed: ")
    assert len(done.stdout.splitlines()) == 1


def test_importing_twice_adds_nothing(stage: Stage, tmp_path: Path) -> None:
    rows = []
    for seed in (901, 902):
        phantom = draw(seed)
        Image.fromarray(phantom.pixels).save(tmp_path / f"{seed}.png")
        Image.fromarray(phantom.mask.astype("uint8") * 255).save(
            tmp_path / f"{seed}.gif"
        )
        rows.append(
            {
                "image": f"{seed}.png",
                "malignant": str(seed % 2),
                "mask": f"{seed}.gif",
                "split": "test",
            }
        )
    folder = str(manifest(tmp_path, rows))
    first, second = (
        stage.sera("dataset", "import", folder, "--name", "twice") for _ in range(2)
    )
    text = "It holds 2 images, 1 malignant."
    assert first.stdout.splitlines() == [
        "twice: 2 new, 0 already there, 0 refused.",
        text,
    ]
    assert second.stdout.splitlines() == [
        "twice: 0 new, 2 already there, 0 refused.",
        text,
    ]
    assert (first.returncode, second.returncode) == (0, 0)


def test_rows_that_are_refused_are_told_line_by_line_and_the_others_imported(
    stage: Stage, tmp_path: Path
) -> None:
    for seed in (911, 912):
        (tmp_path / f"{seed}.png").write_bytes(png(seed))
    (tmp_path / "text.png").write_text("words " * 50)
    Image.fromarray(draw(911).mask).save(tmp_path / "large.gif")
    rows = [
        {"image": "911.png", "malignant": "yes"},
        {"image": "text.png", "malignant": "0"},
        {"image": "912.png", "malignant": "perhaps"},
        {"image": "gone.png", "malignant": "1"},
        {"image": "912.png", "malignant": "1", "mask": "large.gif"},
        {"image": "912.png", "malignant": "1", "mask": "gone.gif"},
        {"image": "", "malignant": "1"},
    ]
    done = stage.sera(
        "dataset", "import", str(manifest(tmp_path, rows)), "--name", "mixed"
    )
    assert (done.returncode, done.stderr) == (1, "")
    summary, totals, *refused = done.stdout.splitlines()
    assert summary == "mixed: 1 new, 0 already there, 6 refused."
    assert totals == "It holds 1 image, 1 malignant."
    assert [line.split(" (")[0].strip() for line in refused] == [
        f"line {number}" for number in range(3, 9)
    ]
    expected_words = [
        "text.png",
        "the label 'perhaps'",
        "gone.png",
        "256 x 256",
        "gone.gif",
        "no image",
    ]
    assert all(
        expected_word in line
        for expected_word, line in zip(expected_words, refused, strict=True)
    ), done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("image,label\na.png,1\n", "malignant"),
        ("", "image, malignant"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_in_one_sentence(
    stage: Stage, tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "manifest.csv").write_text(text)
    done = stage.sera("dataset", "import", str(tmp_path), "--name", "none")
    assert done.returncode == 1
    assert message in one_sentence(done.stderr, "manifest-invalid")
    assert stage.rows("SELECT 1 FROM datasets WHERE name = 'none'") == []


def test_a_dataset_name_that_cannot_be_is_refused_in_one_sentence(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    folder = manifest(tmp_path, [{"image": "a.png", "malignant": "1"}])
    done = stage.sera("dataset", "import", str(folder), "--name", "a/b c")
    assert done.returncode == 1
    assert "letters, digits" in one_sentence(done.stderr, "dataset-name-invalid")


def test_patients_are_not_mixed_into_phantoms(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    folder = manifest(tmp_path, [{"image": "a.png", "malignant": "1"}])
    done = stage.sera("dataset", "import", str(folder), "--name", "phantoms")
    assert done.returncode == 1
    assert "'phantoms' holds synthetic images" in one_sentence(
        done.stderr, "dataset-of-other-kind"
    )


def test_doctor_finds_the_running_stack(stage: Stage) -> None:
    found = {
        load["check"]: load
        for load in json.loads(stage.sera("doctor", "--json").stdout)
    }
    assert stage.stack.url in found["port"]["detail"]
