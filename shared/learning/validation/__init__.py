"""Cross-validation by patient, and its report."""
