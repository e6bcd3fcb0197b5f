"""Processes that decode and clean images: one that crashes, hangs or swells its process costs that image only."""
