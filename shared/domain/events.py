"""Names of what the audit trail records."""

from enum import StrEnum


class Event(StrEnum):
    CASE_ACCEPTED = "case.accepted"
    JOB_CLAIMED = "job.claimed"
    JOB_DONE = "job.done"
    JOB_FAILED = "job.failed"
    JOB_RETURNED = "job.returned"
    JOB_CANCELLED = "job.cancelled"
    JOB_RERUN = "job.rerun"
    HOSPITAL_ADDED = "hospital.added"
    KEY_CREATED = "key.created"
    DATASET_CREATED = "dataset.created"
    RUN_REQUESTED = "run.requested"
    RUN_STARTED = "run.started"
    RUN_DONE = "run.done"
    RUN_FAILED = "run.failed"
    MODEL_STORED = "model.stored"
    MODEL_PROMOTED = "model.promoted"
