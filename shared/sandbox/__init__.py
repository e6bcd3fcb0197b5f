"""Processes for foreign bytes: images, masks, and models from outside.

Whatever the bytes make such a process do, it has no secret, no network, no file but its pipe, and
ends after its time.
"""
