"""Inference: claim a batch, run the live bundle, write results."""
