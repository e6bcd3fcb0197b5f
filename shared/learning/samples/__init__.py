"""Labelled nodules to learn from, real or drawn."""
