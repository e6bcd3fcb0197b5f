"""What hospitals were promised, and whether it was kept: for whoever tries a stack, by faults or by load."""

from deploy.promises.answers import Answers, Jobs, judge_answers, named
from deploy.promises.case import Kind, Planned, Promise

__all__ = ["Answers", "Jobs", "Kind", "Planned", "Promise", "judge_answers", "named"]
