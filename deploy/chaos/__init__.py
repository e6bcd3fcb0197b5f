"""Does SERA keep its promises while what it stands on breaks? A stack of its own, faults by real means, a judge."""

from deploy.chaos.judge import Verdict, judge
from deploy.chaos.trial import Report, Trial

__all__ = ["Report", "Trial", "Verdict", "judge"]
