"""Routes of models: cards, gates, promotions and shadow evaluations."""
