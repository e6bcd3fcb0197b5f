"""Chaos test: injects real faults into a stack of its own, and judges how cases were handled."""

from trials.chaos.faults import FAULTS
from trials.chaos.judge import Verdict, judge
from trials.chaos.trial import Report, Trial, TrialPlan

__all__ = ["FAULTS", "Report", "Trial", "TrialPlan", "Verdict", "judge"]
