from pathlib import Path

import pytest
from rich.console import Console

from cli.commands.study import finish, summary
from shared.bundles import load
from shared.study.report import Material
from tests.studies import study


def folder(path: Path, manifest: str | None) -> Path:
    path.mkdir()
    if manifest is not None:
        (path / "manifest.csv").write_text(manifest)
    return path


@pytest.mark.parametrize(
    ("manifest", "recipe", "told"),
    [
        ("image,malignant\n", "nonesuch", "There is no recipe 'nonesuch'. Choose one of light"),
        ("image,malignant\n", "light", "has no labelled image to study"),
        ("", "light", "its first line lacks image, malignant"),
        (None, "light", "there is no such file"),
        ("image,malignant\ngone.png,1\n", "light", "Line 2 of"),
    ],
)
def test_bad_input_is_told_in_one_sentence(sera, tmp_path, manifest, recipe, told):
    data = folder(tmp_path / "data", manifest)
    code, out, err = sera("study", data, "--recipe", recipe, "--out", tmp_path / "out")
    assert (code, out) == (1, "")
    assert err.startswith("SERA: ")
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_finished_study_leaves_report_tables_and_bundle_and_replaces_those_of_an_earlier_run(small_model, tmp_path):
    made, out = study(), tmp_path / "out"
    for synthetic in (False, True):
        report = finish(made, small_model, Material("phantoms", synthetic=synthetic), out)
        assert report == out / "report.html"
        assert load(out / "bundle").manifest.synthetic is synthetic
        assert ("Synthetic data" in report.read_text()) is synthetic
    assert not list(out.glob(".*"))


def test_the_summary_names_the_best_of_each_table_and_the_people():
    console = Console(width=140)
    with console.capture() as shown:
        console.print(summary(study()))
    lines = shown.get().splitlines()
    assert len(lines) == 1 + 6 + 3
    assert any(line.startswith("light") and "The recipe's own model" in line for line in lines)
    assert any(line.startswith("kim") and " - " in line for line in lines)
