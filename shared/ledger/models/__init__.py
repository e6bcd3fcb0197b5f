"""Models: metadata, gate judgements, promotions, shadow evaluations, and the workers that serve."""
