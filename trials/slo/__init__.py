"""What hospitals were promised, and whether it was kept: for whoever tries a stack, by faults or by
load.
"""

from trials.slo.answers import Answers, Jobs, judge_answers, named
from trials.slo.case import Kind, Planned, Promise

__all__ = ["Answers", "Jobs", "Kind", "Planned", "Promise", "judge_answers", "named"]
