"""Load test: many hospitals send cases at random times, and a report judges the latencies."""

from trials.load.arrivals import LoadPlan
from trials.load.run import LoadRun, LoadRunner

__all__ = ["LoadPlan", "LoadRun", "LoadRunner"]
