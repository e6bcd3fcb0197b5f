"""Calibration and conformal prediction: whether stated probabilities are correct."""
