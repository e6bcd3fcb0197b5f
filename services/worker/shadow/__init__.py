"""Shadow evaluation: a candidate processes the cases of the live model, without effect on them."""
