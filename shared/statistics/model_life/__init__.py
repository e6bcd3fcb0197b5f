"""Whether a model may go live, and whether it stays good: gate, shadow, drift, sites."""
