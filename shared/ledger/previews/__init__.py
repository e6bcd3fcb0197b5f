"""Previewed images that are kept for a short time, and the outlines that were asked of them."""
