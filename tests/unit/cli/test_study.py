import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from cli.commands.study import save_results, summary
from shared.bundles import load
from shared.phantoms import draw
from shared.settings import ROOT
from shared.study.report.page import DatasetDescription
from tests.support.builders import encode
from tests.support.fabricated_study import study

BY_FORMULA = """
name = "by-formula"
version = "1"
source = "the tests"
[[features]]
families = ["shape", "intensity"]
[[classifiers]]
kind = "svm"
kernel = ["rbf"]
C = [1]
[validation]
folds = 2
"""
SLOW = """
name = "slow"
version = "1"
source = "the tests"
[[features]]
network = "sera_tiny"
taps = ["avg"]
tuning = "phantoms"
[[classifiers]]
kind = "svm"
kernel = ["rbf"]
C = [1]
[phantoms]
count = 66000
epochs = 1
batch = 33
rate = 0.05
"""


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen outlined phantoms, judged by kim, and a file that is no image."""
    folder = tmp_path_factory.mktemp("phantoms")
    lines = ["image,malignant,mask,patient,site,reader_kim"]
    for seed in range(16):
        phantom = draw(seed, malignant=bool(seed % 2), size_px=96)
        (folder / f"{seed}.png").write_bytes(encode(phantom.pixels))
        (folder / f"mask{seed}.png").write_bytes(encode(phantom.mask * 255))
        lines.append(
            f"{seed}.png,{seed % 2},mask{seed}.png,p{seed},north,{int(seed % 3 == 0)}"
        )
    (folder / "broken.png").write_text("no image")
    (folder / "manifest.csv").write_text("\n".join([*lines, "broken.png,1,,,,", ""]))
    return folder


@pytest.fixture
def by_formula(tmp_path: Path) -> Path:
    (tmp_path / "by_formula.toml").write_text(BY_FORMULA)
    return tmp_path / "by_formula.toml"


def data_folder(path: Path, manifest: str | None) -> Path:
    path.mkdir()
    if manifest is not None:
        (path / "manifest.csv").write_text(manifest)
    return path


@pytest.mark.parametrize(
    ("manifest", "recipe", "message"),
    [
        (
            "image,malignant\n",
            "nonesuch",
            "There is no recipe 'nonesuch'. Choose one of koh2020, lee2019, light",
        ),
        ("image,malignant\n", "light", "has no labelled image to study"),
        ("", "light", "its first line lacks image, malignant"),
        (None, "light", "there is no such file"),
        ("image,malignant\ngone.png,1\n", "light", "its line 2 cannot be used"),
    ],
)
def test_bad_input_is_told_in_one_sentence(sera, tmp_path, manifest, recipe, message):
    data = data_folder(tmp_path / "data", manifest)
    code, stdout, err = sera(f"study --recipe {recipe} --out", tmp_path / "out", data)
    assert (code, stdout) == (1, "")
    assert err.startswith("SERA: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_finished_study_leaves_report_tables_and_bundle_and_replaces_those_of_an_earlier_run(
    small_model, tmp_path
):
    finished_study = study()
    output_folder = tmp_path / "out"
    for synthetic in (False, True):
        report = save_results(
            finished_study,
            small_model,
            dataset=DatasetDescription("phantoms", synthetic=synthetic),
            output_folder=output_folder,
        )
        assert report == output_folder / "report.html"
        assert load(output_folder / "bundle").manifest.synthetic is synthetic
        assert ("Synthetic data" in report.read_text()) is synthetic
    assert not list(output_folder.glob(".*"))


def test_the_summary_names_the_best_of_each_table_and_the_people():
    console = Console(width=140)
    with console.capture() as capture:
        console.print(summary(study()))
    lines = capture.get().splitlines()
    assert len(lines) == 1 + 6 + 3
    assert any(
        line.startswith("light") and "The recipe's own model" in line for line in lines
    )
    assert any(line.startswith("kim") and " - " in line for line in lines)


def test_a_folder_is_studied_and_its_bundle_predicts(
    sera_done, phantoms, by_formula, tmp_path
):
    output_folder = tmp_path / "out"
    options = ("--recipe", by_formula, "--out", output_folder)
    stdout = sera_done("study --synthetic", phantoms, *options)
    assert "The recipe's own model" in stdout
    assert "kim" in stdout
    assert (
        stdout.splitlines()[-1]
        == f"Rows left out: 0. Images skipped: 1. Report: {output_folder / 'report.html'}"
    )
    assert "broken.png" in (output_folder / "skipped.csv").read_text()
    assert (output_folder / "scores.csv").read_text().count("\n") == 17
    assert load(output_folder / "bundle").manifest.synthetic
    assert "malignant" in sera_done(
        "predict",
        "--bundle",
        output_folder / "bundle",
        phantoms / "1.png",
        phantoms / "3.png",
    )


def test_two_folders_are_two_sites_each_judged_by_the_other(
    sera_done, by_formula, tmp_path
):
    for name, first_seed in (("here", 0), ("there", 100)):
        folder = tmp_path / name
        folder.mkdir()
        lines = ["image,malignant"]
        for seed in range(first_seed, first_seed + 14):
            phantom = draw(seed, malignant=bool(seed % 2), size_px=96)
            (folder / f"{seed}.png").write_bytes(encode(phantom.pixels))
            lines.append(f"{seed}.png,{seed % 2}")
        (folder / "manifest.csv").write_text("\n".join(lines))
    output_folder = tmp_path / "out"
    stdout = sera_done(
        "study --synthetic",
        tmp_path / "here",
        tmp_path / "there",
        "--recipe",
        by_formula,
        "--out",
        output_folder,
    )
    assert "The model at a site that it has not seen" in stdout
    for site in ("here", "there", "all sites"):
        assert any(line.strip().startswith(site) for line in stdout.splitlines())
    report = (output_folder / "report.html").read_text()
    assert "Study of here + there" in report
    assert (output_folder / "sites_out.csv").read_text().count("\n") == 4


def test_the_same_command_again_gives_the_same_tables_from_what_was_kept(
    sera_done, phantoms, by_formula, tmp_path
):
    output_folder = tmp_path / "out"
    runs = []
    for _ in range(2):
        options = ("--recipe", by_formula, "--out", output_folder)
        sera_done("study", phantoms, *options)
        runs.append(
            {path.name: path.read_bytes() for path in output_folder.glob("*.csv")}
        )
        cached_files = {
            path: path.stat().st_mtime_ns
            for path in (output_folder / "cache").rglob("*")
            if path.is_file()
        }
        runs.append(cached_files)
    assert runs[0] == runs[2]
    assert runs[1] == runs[3] != {}


def test_ctrl_c_says_that_the_same_command_goes_on(phantoms, tmp_path):
    (tmp_path / "slow.toml").write_text(SLOW)
    command = [
        sys.executable,
        "-m",
        "cli",
        "study",
        phantoms,
        "--recipe",
        tmp_path / "slow.toml",
        "--out",
        tmp_path,
    ]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr.readline().startswith("network 0%")
        running.send_signal(signal.SIGINT)
        assert (
            running.stderr.read().splitlines()[-1]
            == "Stopped. The same command goes on where it was."
        )
    assert running.returncode == 130


def test_an_output_that_cannot_be_written_is_named_before_anything_is_learnt(
    sera, phantoms, tmp_path, monkeypatch
):
    def learn(*_: object, **__: object) -> None:
        raise AssertionError("the study began")

    monkeypatch.setattr("shared.study.experiment.run_experiment", learn)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(BY_FORMULA)
    output = tmp_path / "file" / "out"
    output.parent.write_text("no folder")
    code, _, error = sera("study", phantoms, "--recipe", recipe, "--out", output)
    assert code == 1
    assert str(output) in error
    assert "[output-unwritable]" in error
