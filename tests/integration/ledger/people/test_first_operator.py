from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.ledger.__main__ import PEOPLE_EXIST, main, operator
from shared.ledger.people.first_operator import first_operator
from shared.security import passwords
from shared.settings import Settings


def test_of_several_first_starts_at_once_one_makes_the_operator_and_knows_the_password(
    ledger,
):
    with ThreadPoolExecutor(4) as pool:
        one_time_passwords = list(pool.map(first_operator, [ledger] * 4))
    (one_time,) = filter(None, one_time_passwords)
    with ledger.system_session("test") as system:
        (person,) = system.people.all()
        attempt = system.sign_ins.begin("operator")
        created = [
            event
            for event in system.audit.page()
            if event.event == Event.PERSON_CREATED
        ]
    assert (person.name, person.role, person.hospital_id, person.must_change) == (
        "operator",
        Role.OPERATOR,
        None,
        True,
    )
    assert passwords.matches(attempt.password_hash, one_time)
    assert [entry.actor for entry in created] == ["first-start"]
    assert one_time not in str(created)


def test_where_there_is_somebody_nobody_is_made(ledger):
    with ledger.system_session("test") as system:
        system.people.create("auditor-1", Role.AUDITOR, None, "hash")
    assert first_operator(ledger) is None
    with ledger.system_session("test") as system:
        assert [entry.name for entry in system.people.all()] == ["auditor-1"]


def test_the_command_for_containers_says_it_once(database_url, capsys):
    settings = Settings(database_url=database_url)
    main(["operator"], settings)
    name, password = (
        line.split(": ")[1] for line in capsys.readouterr().out.splitlines()
    )
    assert (name, len(password)) == ("operator", 23)
    assert operator(settings) == PEOPLE_EXIST
    with pytest.raises(SystemExit, match="usage"):
        main(["else"], settings)
