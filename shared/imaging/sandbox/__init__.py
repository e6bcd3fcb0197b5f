"""Processes that decode and clean images.

An image that crashes, hangs or swells its process costs that image only.
"""
