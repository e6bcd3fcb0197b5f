"""The pages of reader studies, as the server renders them."""

import pytest

from shared.domain.roles import Role
from tests.support.reader_studies import new_study, read, studied

SICK = [True, False, True, False]
SCORES = [0.91, 0.12, 0.77, 0.64]
SAID = [(60, 85), (40, 10), (30, 70), (55, 45)]
SECRETS = ("mrn-", "45.5 %", "6 %", "TR5", "histology", "light/2")


@pytest.fixture
def admin(make_person):
    return make_person(Role.HOSPITAL_ADMIN)


@pytest.fixture
def chief(admin, signed_in):
    return signed_in(admin)


@pytest.fixture
def reader(make_person):
    return make_person(Role.READER)


@pytest.fixture
def cases(north, ledger):
    return studied(north, ledger, SICK, SCORES)


@pytest.fixture
def study(chief, admin, reader, cases):
    """An open one that its administrator reads too."""
    pick = {"by": "newest", "count": 4}
    made = chief.post(
        "/v1/reader-studies", json=new_study([reader.id, admin.id], pick=pick)
    ).json()["study_id"]
    assert chief.post(f"/v1/reader-studies/{made}/open").status_code == 200
    return made


def test_a_reader_is_shown_nothing_of_sera_before_the_blind_reading(
    signed_in, as_person, reader, study
):
    desk = signed_in(reader)
    at = f"/studies/{study}"
    case = desk.get(f"/v1/reader-studies/{study}/next").json()["case_id"]
    pages = [
        desk.get(path, params={"lang": "en"}) for path in ("/studies", at, f"{at}/read")
    ]
    assert [(page.status_code, "style=" in page.text) for page in pages] == [
        (200, False)
    ] * 3
    assert [
        secret for secret in SECRETS if any(secret in page.text for page in pages)
    ] == []
    early = desk.get(f"{at}/read/{case}/sera")
    assert (early.status_code, "Read it blind first" in early.text) == (403, True)
    blind = {
        "case_id": case,
        "phase": "blind",
        "probability": 70,
        "malignant": True,
        "fna": False,
    }
    assert (
        desk.post(f"/v1/reader-studies/{study}/readings", json=blind).status_code == 201
    )
    answer = desk.get(f"{at}/read/{case}/sera", params={"lang": "ko"}).text
    for found in (
        'data-probability="70"',
        'data-malignant="true"',
        'data-fna="false"',
        "TR5",
        "악성 위험도",
    ):
        assert found in answer
    stranger = as_person(Role.READER)
    assert stranger.get(at).status_code == 404
    assert "No reader study is open for you" in stranger.get("/studies").text


def test_an_administrator_who_reads_too_sees_the_figures_after_their_own_reading(
    chief, signed_in, reader, study, cases
):
    said = dict(zip(cases, SAID, strict=True))
    read(signed_in(reader), study, said)
    assert 'id="auc"' not in chief.get(f"/studies/{study}").text
    read(chief, study, said)
    for language in ("en", "ko"):
        page = chief.get(f"/studies/{study}", params={"lang": language})
        for found in (
            'class="curve sera"',
            'id="together"',
            'id="kappas"',
            'id="times"',
        ):
            assert found in page.text
        assert len(page.content) < 200_000
    assert (
        "All readers together: with SERA the AUC changes by"
        in chief.get(f"/studies/{study}?lang=en").text
    )


def test_a_new_study_is_offered_what_there_is_to_choose_from(chief, reader, cases):
    page = chief.get("/studies", params={"lang": "en"}).text
    assert "2 malignant and 2 benign" in page
    assert f'value="{reader.id}"' in page
