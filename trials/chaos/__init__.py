"""Does SERA keep its promises while what it stands on breaks? A stack of its own, faults by real
means, a judge.
"""

from trials.chaos.faults import FAULTS
from trials.chaos.judge import Verdict, judge
from trials.chaos.trial import Report, Storm, Trial

__all__ = ["FAULTS", "Report", "Storm", "Trial", "Verdict", "judge"]
