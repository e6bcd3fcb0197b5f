"""Shadow evaluation: a candidate reads live traffic beside the live model."""
