import pytest

from cli.commands.load import on_this_machine

COMMAND = ("load", "--hospitals", "2", "--rate", "1", "--minutes", "0.1")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://127.4.5.6",
        "http://localhost:1",
        "http://[::1]:8000",
    ],
)
def test_loopback_addresses_are_on_this_machine(url):
    assert on_this_machine(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.7:8000",
        "https://sera.example",
        "http://localhost.example",
        "http://0.0.0.0:8000",
        "sera",
    ],
)
def test_others_are_not(url):
    assert not on_this_machine(url)


def test_another_machine_is_not_loaded_without_consent(sera, tmp_path):
    code, _, output = sera(
        *COMMAND, "--url", "http://10.0.0.7:8000", "--out", tmp_path / "report.html"
    )
    assert code == 1
    assert "--yes-load-this-server" in output
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_only_a_variable_names_is_not_loaded_even_with_consent(
    sera, tmp_path, monkeypatch
):
    monkeypatch.setenv("SERA_URL", "https://sera.example")
    code, _, output = sera(
        *COMMAND, "--yes-load-this-server", "--out", tmp_path / "report.html"
    )
    assert code == 1
    assert "load-not-this-machine" in output
