"""Why a case is erased: a closed list, so that nothing of a patient can be written beside it."""

from enum import StrEnum


class ErasureReason(StrEnum):
    PATIENT_REQUEST = "patient-request"
    SENT_BY_MISTAKE = "sent-by-mistake"
    RETENTION = "retention"
    """The hospital's time for keeping cases is over."""
