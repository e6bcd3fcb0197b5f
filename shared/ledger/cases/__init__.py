"""Cases and what belongs to each: outcomes, explanations, erasure, the worklist."""
