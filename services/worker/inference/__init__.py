"""The inference loop: claim, prepare, infer, write."""
