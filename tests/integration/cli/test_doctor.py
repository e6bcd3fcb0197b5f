from pathlib import Path

import pytest

from cli.commands.doctor import Verdict, disk_space, own_recipes, run_check, safety
from shared.settings import Settings


@pytest.mark.parametrize(
    ("production", "verdict"), [(False, Verdict.NOTE), (True, Verdict.FAIL)]
)
def test_an_unsafe_setting_is_a_word_of_warning_and_in_production_a_fault(
    tmp_path, production, verdict
):
    unsafe = Settings(home=tmp_path, production=production, trusted_proxies="0.0.0.0/0")
    assert safety(unsafe)[0] is verdict


def test_a_database_that_does_not_answer_is_said_to_be_away(tmp_path: Path):
    away = Settings(home=tmp_path, database_url=f"postgresql://x@/sera?host={tmp_path}")
    verdict, output = run_check(safety, away)
    assert verdict is Verdict.FAIL
    assert "database cannot be reached" in output


def test_less_room_than_asked_for_is_a_fault(tmp_path: Path):
    verdict, output = disk_space(
        Settings(home=tmp_path / "not yet made", least_free_mib=2**40)
    )
    assert verdict is Verdict.FAIL
    assert "Free some space" in output
    assert disk_space(Settings(home=tmp_path, least_free_mib=0))[0] is not Verdict.FAIL


def test_a_folder_of_own_recipes_is_looked_through(tmp_path: Path):
    folder = tmp_path / "own"
    settings = Settings(home=tmp_path, recipes_dir=folder)
    assert own_recipes(settings)[0] is Verdict.FAIL
    folder.mkdir()
    assert own_recipes(settings) == (Verdict.OK, f"{folder}: no NAME.toml there")
    (folder / "light.toml").touch()
    verdict, output = own_recipes(settings)
    assert verdict is Verdict.FAIL
    assert "light.toml" in output
