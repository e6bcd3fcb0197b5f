"""What hospitals were promised, and whether it was kept: for whoever tries a stack, by faults or by
load.
"""

from trials.slo.answers import Violations, Jobs, find_violations, describe
from trials.slo.case import Kind, PlannedCase, CaseRecord

__all__ = ["Violations", "Jobs", "Kind", "PlannedCase", "CaseRecord", "find_violations", "describe"]
