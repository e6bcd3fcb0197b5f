"""Compares readers with each other and with the model."""
