"""Service level objectives of case handling, shared by the chaos test and the load test."""

from trials.slo.answers import Jobs, Violations, describe, find_violations
from trials.slo.case import CaseRecord, Kind, PlannedCase

__all__ = [
    "CaseRecord",
    "Jobs",
    "Kind",
    "PlannedCase",
    "Violations",
    "describe",
    "find_violations",
]
