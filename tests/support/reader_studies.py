"""Cases that have a result and an outcome, and people who read them, for the tests of reader
studies.
"""

from datetime import timedelta

from shared.domain.results.findings import Finding
from shared.domain.results.model_reference import ModelReference
from shared.domain.results.prediction import Verdict
from shared.domain.results.result import Result
from tests.support import builders
from tests.support.builders import fna_advice, form, png

DIGEST = "d" * 64
REFERRED = 0.51
MODEL = ModelReference(name="light", version=2, digest=DIGEST)


def result(score: float) -> Result:
    """A result; a score of `REFERRED` is a referred case."""
    decision = Verdict.MALIGNANT if score >= 0.5 else Verdict.BENIGN
    return builders.result(
        score=score,
        risk=round(score / 2, 6),
        decision=Verdict.REFER if score == REFERRED else decision,
        cutoff=0.5,
        fna=fna_advice(recommended=True),
        warnings=(Finding("under-10-mm", "Small."),),
        model=MODEL,
    )


def studied(submitter, ledger, malignant: list[bool], scores: list[float]) -> list[str]:
    """Submit, answer and settle so many cases; their ids."""
    sent = [
        submitter.post("/v1/cases", **form(png(n), external_id=f"mrn-{n}")).json()
        for n in range(len(scores))
    ]
    by_job = {case["job_id"]: score for case, score in zip(sent, scores, strict=True)}
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", len(sent), timedelta(minutes=1), 5)
        session.queue.finish(
            lease.token,
            DIGEST,
            {job.id: result(by_job[str(job.id)]) for job in lease.jobs},
        )
    for case, sick in zip(sent, malignant, strict=True):
        outcome = {"malignant": sick, "source": "histology"}
        assert (
            submitter.post(
                f"/v1/cases/{case['case_id']}/outcome", json=outcome
            ).status_code
            == 201
        )
    return [item["case_id"] for item in sent]


def new_study(readers, **changes) -> dict:
    fields = {
        "name": "Thyroid",
        "question": "Does it help?",
        "pick": {"by": "newest", "count": 6},
        "seed": 3,
    }
    return fields | {"readers": [str(reader) for reader in readers]} | changes


def read(client, study: str, answers: dict[str, tuple[int, int]]) -> None:
    """Read every case of a study: `said` gives a case's probabilities, blind and aided; 50 and more
    is malignant.
    """
    at = f"/v1/reader-studies/{study}"
    while (next_case := client.get(f"{at}/next").json())["phase"]:
        case = next_case["case_id"]
        for phase, per_cent in zip(("blind", "aided"), answers[case], strict=True):
            fields = {
                "case_id": case,
                "phase": phase,
                "probability": per_cent,
                "malignant": per_cent >= 50,
            }
            answer = client.post(
                f"{at}/readings", json=fields | {"seen_ms": 900, "hidden_ms": 0}
            )
            assert answer.status_code == 201, answer.text
            if phase == "blind":
                assert client.get(f"{at}/aided/{case}").status_code == 200
