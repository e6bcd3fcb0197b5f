"""Does SERA keep its promises while what it stands on breaks? A stack of its own, faults by real means, a judge."""

from deploy.chaos.faults import FAULTS
from deploy.chaos.judge import Verdict, judge
from deploy.chaos.trial import Report, Storm, Trial

__all__ = ["FAULTS", "Report", "Storm", "Trial", "Verdict", "judge"]
