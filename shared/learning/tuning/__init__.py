"""Transfer learning and fine-tuning of pre-trained networks on labelled nodules."""

from shared.learning.tuning.course import Course, Curves
from shared.learning.tuning.tuned import TunedColumns, Tuning
from shared.learning.tuning.tuner import Body, Tuner

__all__ = ["Body", "Course", "Curves", "TunedColumns", "Tuner", "Tuning"]
