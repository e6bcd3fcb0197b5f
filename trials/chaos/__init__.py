"""Does SERA keep its records while what it stands on breaks? A stack of its own, faults by real
means, a judge.
"""

from trials.chaos.faults import FAULTS
from trials.chaos.judge import Verdict, judge
from trials.chaos.trial import Report, TrialPlan, Trial

__all__ = ["FAULTS", "Report", "TrialPlan", "Trial", "Verdict", "judge"]
