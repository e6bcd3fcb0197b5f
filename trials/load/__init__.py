"""Does SERA bear many hospitals at once? Cases as they come, by clients that wait for nobody, and a
report.
"""

from trials.load.arrivals import Load
from trials.load.run import Course, Loading

__all__ = ["Course", "Load", "Loading"]
