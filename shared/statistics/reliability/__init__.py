"""Whether a probability means what it says: calibration and conformal prediction."""
