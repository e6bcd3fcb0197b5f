"""Regions of interest: outline, mask, size in millimetres, crop, network input."""
