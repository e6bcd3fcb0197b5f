"""Labelled nodules for training, real or drawn."""
