import os
import queue
import shutil
import subprocess
import sys
from pathlib import Path

import kombu
import psutil
import pytest
import sqlalchemy as sa

from deploy.local import EmbeddedEngines, Event, Phase
from deploy.local.errors import DatabaseNotCreated, DatabaseTooOld
from deploy.local.postgres import Postgres


def ask(url: str | sa.URL, *statements: str) -> list[tuple]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as line:
        for statement in statements[:-1]:
            line.execute(sa.text(statement))
        return [tuple(row) for row in line.execute(sa.text(statements[-1]))]


def test_a_second_start_goes_on_with_all_data(tmp_path: Path) -> None:
    with EmbeddedEngines(tmp_path / "home", durable=False) as engines:
        ask(
            engines.database_url,
            "CREATE TABLE nodule (id int)",
            "INSERT INTO nodule VALUES (7) RETURNING id",
        )
    with EmbeddedEngines(tmp_path / "home", durable=False) as engines:
        assert ask(engines.database_url, "SELECT id FROM nodule") == [(7,)]


def test_the_database_is_durable_and_cannot_be_reached_from_the_network(
    tmp_path: Path,
) -> None:
    with EmbeddedEngines(tmp_path) as engines:
        names = (
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "listen_addresses",
            "server_encoding",
        )
        columns = ", ".join(f"current_setting('{name}')" for name in names)
        assert ask(engines.database_url, f"SELECT {columns}") == [
            ("on", "on", "on", "", "UTF8")
        ]
        ports = [
            line
            for pid in engines.state.pids.values()
            for line in psutil.Process(pid).net_connections("inet")
        ]
        assert ports == []


def test_the_log_of_the_database_repeats_nothing_that_people_typed(
    tmp_path: Path,
) -> None:
    typed = "Kim-Minji-1958"
    statements = (
        f"INSERT INTO people VALUES ('{typed}')",
        f"SELECT * FROM absent WHERE name = '{typed}'",
        f'SELECT 1 / 0 AS "{typed}"',
        f"SELECT 1; COMMENT ON TABLE absent IS '{typed}'",
        f"INSERT INTO people (name, age) VALUES ('b', 0) /* {typed} */",
    )
    home = tmp_path / "home"
    with EmbeddedEngines(home, durable=False) as engines:
        ask(
            engines.database_url,
            "CREATE TABLE people (name text UNIQUE, age int CHECK (age > 0))",
            f"INSERT INTO people VALUES ('{typed}')",
            "SELECT 1",
        )
        for statement in statements:
            with pytest.raises(sa.exc.DBAPIError):
                ask(engines.database_url, statement)
    logs = {path.name: path.read_text() for path in home.rglob("*.log")}
    assert "duplicate key value" in logs["postgres.log"]
    assert [name for name, text in logs.items() if typed in text] == []


def test_the_database_lets_in_its_owner_and_the_services_and_nobody_else(
    tmp_path: Path,
) -> None:
    with EmbeddedEngines(tmp_path, durable=False) as engines:
        owner = sa.make_url(engines.database_url)
        created = ("CREATE ROLE sera_service LOGIN", "CREATE ROLE intruder LOGIN")
        ask(owner, *created, "SELECT 1")
        assert ask(owner.set(username="sera_service"), "SELECT 1") == [(1,)]
        with pytest.raises(sa.exc.OperationalError, match="Peer authentication failed"):
            ask(owner.set(username="intruder"), "SELECT 1")


def test_the_broker_carries_messages(tmp_path: Path) -> None:
    engines = EmbeddedEngines(tmp_path, durable=False)
    with (
        engines,
        kombu.Connection(engines.broker_url) as line,
        line.SimpleQueue("bell") as bell,
    ):
        bell.put("ring")
        assert bell.get(timeout=10).payload == "ring"


def test_two_homes_run_side_by_side(tmp_path: Path) -> None:
    with (
        EmbeddedEngines(tmp_path / "one", durable=False) as first_stack,
        EmbeddedEngines(tmp_path / "two", durable=False) as two,
    ):
        ask(first_stack.database_url, "CREATE TABLE only_here (id int)", "SELECT 1")
        found = "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'"
        assert ask(first_stack.database_url, found) == [(1,)]
        assert ask(two.database_url, found) == [(0,)]


@pytest.mark.parametrize("name", ["d" * 150, "a b,ü%40"])
def test_a_home_whose_path_fits_no_socket_works_all_the_same(
    tmp_path: Path, name: str
) -> None:
    with EmbeddedEngines(tmp_path / name, durable=False) as engines:
        assert ask(engines.database_url, "SELECT 1") == [(1,)]
        sockets = Path(engines.state.sockets)
    assert not sockets.exists()


def test_a_killed_database_comes_back_with_what_was_committed(tmp_path: Path) -> None:
    output: queue.Queue[Event] = queue.Queue()
    with EmbeddedEngines(tmp_path, observe=output.put) as engines:
        ask(
            engines.database_url,
            "CREATE TABLE nodule (id int)",
            "INSERT INTO nodule VALUES (7) RETURNING id",
        )
        psutil.Process(engines.state.pids["postgres"]).kill()
        while output.get(timeout=60) != Event("postgres", Phase.READY):
            pass  # the first start's own events
        while output.get(timeout=60) != Event("postgres", Phase.READY):
            pass
        assert ask(engines.database_url, "SELECT id FROM nodule") == [(7,)]


def test_a_lock_file_whose_number_another_program_has_now_is_no_obstacle(
    tmp_path: Path,
) -> None:
    with EmbeddedEngines(tmp_path, durable=False) as engines:
        data = engines.home.database
        left = (data / "postmaster.pid").read_text().splitlines()
    with subprocess.Popen(["sleep", "600"], user=data.stat().st_uid) as stranger:
        (data / "postmaster.pid").write_text(
            "\n".join([str(stranger.pid), *left[1:]]) + "\n"
        )
        try:
            with EmbeddedEngines(tmp_path, durable=False) as engines:
                assert ask(engines.database_url, "SELECT 1") == [(1,)]
        finally:
            stranger.kill()


def test_a_creation_cut_short_is_begun_again(tmp_path: Path) -> None:
    draft = tmp_path / "postgres.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    with EmbeddedEngines(tmp_path, durable=False) as engines:
        assert ask(engines.database_url, "SELECT 1") == [(1,)]
    assert not draft.exists()


def test_a_database_of_another_version_is_refused_with_both_named(
    tmp_path: Path,
) -> None:
    data = tmp_path / "postgres"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("16\n")
    with (
        pytest.raises(DatabaseTooOld, match="PostgreSQL 16, and this is PostgreSQL 18"),
        EmbeddedEngines(tmp_path, durable=False),
    ):
        pass


def test_a_database_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("deploy.local.postgres.DATABASE", "no such, name")
    postgres = Postgres(tmp_path / "data", tmp_path / "sockets", durable=False)
    with pytest.raises(DatabaseNotCreated, match="syntax error"):
        postgres.prepare()
    assert not postgres.data.exists()


def test_only_the_user_who_runs_the_stack_may_connect(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    with EmbeddedEngines(tmp_path, durable=False) as engines:
        sockets = f"{engines.state.sockets}/postgres"
        text = (
            f"import psycopg2; psycopg2.connect(host={sockets!r}, user='postgres', "
            "dbname='sera')"
        )
        daemon = (
            "setpriv",
            "--reuid=1",
            "--regid=1",
            "--clear-groups",
            "--inh-caps=+dac_override",
        )
        bits = ("--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup", "--")
        process = subprocess.run(
            [*daemon, *bits, sys.executable, "-c", text],
            capture_output=True,
            text=True,
        )
    assert "Peer authentication failed" in process.stderr


def test_root_runs_the_database_as_another_user_in_folders_closed_to_it(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedEngines(closed / "home", durable=False) as engines:
        server = psutil.Process(engines.state.pids["postgres"])
        assert server.uids().effective != 0
        assert ask(engines.database_url, "SELECT 1") == [(1,)]
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_database_made_by_an_ordinary_user_is_run_as_that_user_by_root(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with EmbeddedEngines(tmp_path, durable=False) as engines:
        data = engines.home.database
    for path in (data, *data.rglob("*")):
        shutil.chown(path, "daemon")
    with EmbeddedEngines(tmp_path, durable=False) as engines:
        assert psutil.Process(engines.state.pids["postgres"]).username() == "daemon"


def test_a_database_that_does_not_answer_is_not_ready(tmp_path: Path) -> None:
    assert not Postgres(tmp_path / "data", tmp_path / "none").responds({})
