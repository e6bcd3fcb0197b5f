"""Does SERA bear many hospitals at once? Cases as they come, by clients that wait for nobody, and a report."""

from deploy.load.arrivals import Load
from deploy.load.course import Course, Loading

__all__ = ["Course", "Load", "Loading"]
