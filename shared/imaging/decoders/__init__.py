"""Decoding in processes of their own: an image that crashes, hangs or swells its decoder costs that image only."""
