"""What a gateway and a worker write that know the schema `r0001` and nothing later.

The services of one release go on beside the schema of the next, so these statements must succeed
before, during and after the newest migrations. With a new release they are written anew from the
code of the release before it, and `OLDEST_SERVED` is raised.
"""

import json
from uuid import UUID, uuid4

from sqlalchemy import Connection, NullPool, create_engine, text

SCHEMA = "r0001"
HOUSE = "SET LOCAL ROLE sera_house"
OF_HOSPITAL = "SET LOCAL ROLE sera_hospital; SET LOCAL sera.hospital = '{}'"
CASE = text(
    "INSERT INTO cases (id, hospital_id, image_sha256, image_bytes, image_format, "
    "width, height, size_mm, source) "
    "VALUES (:case, :hospital, :image, 1000, 'png', 300, 300, 14.5, 'file')"
)
JOB = text(
    "INSERT INTO jobs (id, case_id, hospital_id, urgent) VALUES (:job, :case, :hospital, false)"
)
EVENT = text(
    "INSERT INTO audit_events (hospital_id, actor, event, case_id, job_id, details) "
    "VALUES (:hospital, :actor, :event, :case, :job, CAST(:details AS json))"
)
CLAIM = text(
    "UPDATE jobs SET state = 'running', attempts = attempts + 1, worker = 'old', "
    "lease_token = :token, "
    "lease_until = clock_timestamp() + interval '20 s', updated_at = clock_timestamp() "
    "WHERE id IN ("
    "SELECT id FROM jobs WHERE state = 'queued' ORDER BY queued_at LIMIT 8 FOR UPDATE SKIP LOCKED) "
    "RETURNING id, case_id, hospital_id"
)
RESULT = text(
    "INSERT INTO results (id, job_id, hospital_id, model_digest, body) "
    "VALUES (:id, :job, :hospital, 'm', CAST(:body AS jsonb)) ON CONFLICT (job_id, "
    "model_digest) DO NOTHING"
)
OBSERVATION = text(
    "INSERT INTO observations (job_id, model_digest, hospital_id, case_id, score, "
    "risk, decision, cutoff, warnings) "
    "VALUES (:job, 'm', :hospital, :case, 0.7, 0.6, 'malignant', 0.5, '[]')"
)
DONE = text(
    "UPDATE jobs SET state = 'done', lease_token = NULL, lease_until = NULL, "
    "updated_at = clock_timestamp() "
    "WHERE id = :job AND lease_token = :token"
)
BODY = json.dumps(
    {"score": 0.7, "risk": 0.6, "decision": "malignant", "fna": {"recommended": True}}
)


class PreviousRelease:
    """A gateway and a worker in one."""

    def __init__(self, url: str, hospital: UUID) -> None:
        self._engine = create_engine(url, poolclass=NullPool)
        self._hospital = hospital

    def submit(self) -> None:
        fields = {
            "hospital": self._hospital,
            "case": uuid4(),
            "job": uuid4(),
            "image": "b" * 64,
        }
        with self._engine.begin() as line:
            line.exec_driver_sql(OF_HOSPITAL.format(self._hospital))
            line.execute(CASE, fields)
            line.execute(JOB, fields)
            self._record(line, "key:old", "case.accepted", fields)

    def work(self) -> int:
        """Claim what waits and answer it; returns how many cases."""
        token = uuid4()
        with self._engine.begin() as line:
            line.exec_driver_sql(HOUSE)
            claimed = [
                dict(zip(("job", "case", "hospital"), row, strict=True))
                for row in line.execute(CLAIM, {"token": token})
            ]
        for item in claimed:
            with self._engine.begin() as line:
                line.exec_driver_sql(HOUSE)
                line.execute(RESULT, item | {"id": uuid4(), "body": BODY})
                line.execute(OBSERVATION, item)
                assert line.execute(DONE, item | {"token": token}).rowcount == 1
                self._record(line, "worker:old", "job.done", item)
        return len(claimed)

    def _record(self, line: Connection, actor: str, event: str, details: dict) -> None:
        line.execute(EVENT, details | {"actor": actor, "event": event, "details": "{}"})
