"""Inference: claims a batch of cases, runs the live model, writes the results."""
