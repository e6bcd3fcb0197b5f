"""Reasons for the erasure of a case.

The list is closed, so that no reason can contain data of a patient.
"""

from enum import StrEnum


class ErasureReason(StrEnum):
    PATIENT_REQUEST = "patient-request"
    SENT_BY_MISTAKE = "sent-by-mistake"
    RETENTION = "retention"
    """The hospital's retention time is over."""
