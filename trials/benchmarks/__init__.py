"""Measures the speed of single parts of SERA."""
