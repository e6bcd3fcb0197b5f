"""Does SERA bear many hospitals at once? Cases as they come, by clients that wait for nobody, and a
report.
"""

from trials.load.arrivals import LoadPlan
from trials.load.run import LoadRun, LoadRunner

__all__ = ["LoadRun", "LoadPlan", "LoadRunner"]
