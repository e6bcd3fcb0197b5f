"""The pages of reader studies, as the server renders them."""

import pytest

from shared.domain.roles import Role
from tests.support.reader_studies import new_study, read, studied

MALIGNANT = [True, False, True, False]
SCORES = [0.91, 0.12, 0.77, 0.64]
PROBABILITIES = [(60, 85), (40, 10), (30, 70), (55, 45)]
SECRETS = ("mrn-", "45.5 %", "6 %", "TR5", "histology", "light/2")


@pytest.fixture
def admin(make_person):
    return make_person(Role.HOSPITAL_ADMIN)


@pytest.fixture
def admin_client(admin, signed_in):
    return signed_in(admin)


@pytest.fixture
def reader(make_person):
    return make_person(Role.READER)


@pytest.fixture
def cases(north, ledger):
    return studied(north, ledger, MALIGNANT, SCORES)


@pytest.fixture
def study(admin_client, admin, reader, cases):
    """The id of an open study, which its administrator also reads."""
    pick = {"by": "newest", "count": 4}
    body = new_study([reader.id, admin.id], pick=pick)
    created = admin_client.post("/v1/reader-studies", json=body).json()
    study_id = created["study_id"]
    opened = admin_client.post(f"/v1/reader-studies/{study_id}/open")
    assert opened.status_code == 200
    return study_id


def test_a_reader_sees_nothing_of_sera_before_the_blind_reading(
    signed_in, as_person, reader, study
):
    client = signed_in(reader)
    study_path = f"/studies/{study}"
    case = client.get(f"/v1/reader-studies/{study}/next").json()["case_id"]
    pages = [
        client.get(path, params={"lang": "en"})
        for path in ("/studies", study_path, f"{study_path}/read")
    ]
    assert [(page.status_code, "style=" in page.text) for page in pages] == [
        (200, False)
    ] * 3
    assert [
        secret for secret in SECRETS if any(secret in page.text for page in pages)
    ] == []
    early = client.get(f"{study_path}/read/{case}/sera")
    assert (early.status_code, "Read it blind first" in early.text) == (403, True)
    blind = {
        "case_id": case,
        "phase": "blind",
        "probability": 70,
        "malignant": True,
        "fna": False,
    }
    assert (
        client.post(f"/v1/reader-studies/{study}/readings", json=blind).status_code
        == 201
    )
    answer = client.get(f"{study_path}/read/{case}/sera", params={"lang": "ko"}).text
    for text in (
        'data-probability="70"',
        'data-malignant="true"',
        'data-fna="false"',
        "TR5",
        "악성 위험도",
    ):
        assert text in answer
    stranger = as_person(Role.READER)
    assert stranger.get(study_path).status_code == 404
    assert "No reader study is open for you" in stranger.get("/studies").text


def test_an_administrator_who_reads_too_sees_the_figures_after_their_own_reading(
    admin_client, signed_in, reader, study, cases
):
    probabilities = dict(zip(cases, PROBABILITIES, strict=True))
    read(signed_in(reader), study, probabilities)
    assert 'id="auc"' not in admin_client.get(f"/studies/{study}").text
    read(admin_client, study, probabilities)
    for language in ("en", "ko"):
        page = admin_client.get(f"/studies/{study}", params={"lang": language})
        for text in (
            'class="curve sera"',
            'id="together"',
            'id="kappas"',
            'id="times"',
        ):
            assert text in page.text
        assert len(page.content) < 200_000
    assert (
        "All readers together: with SERA the AUC changes by"
        in admin_client.get(f"/studies/{study}?lang=en").text
    )


def test_the_form_of_a_new_study_offers_cases_and_readers(admin_client, reader, cases):
    page = admin_client.get("/studies", params={"lang": "en"}).text
    assert "2 malignant and 2 benign" in page
    assert f'value="{reader.id}"' in page
