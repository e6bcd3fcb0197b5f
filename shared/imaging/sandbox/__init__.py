"""A sandbox of processes that decode and de-identify images.

An image that crashes, hangs or exhausts its process harms no other image.
"""
