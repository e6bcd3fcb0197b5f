"""Routes of cases: submission, results, outcomes, explanations and erasure."""
