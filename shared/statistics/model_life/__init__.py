"""Whether a model may go live, and whether it still does well: gate, shadow, drift, sites."""
