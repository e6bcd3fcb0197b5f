"""Models: metadata, gate judgements, promotions, shadows, and which worker serves which."""
