"""Routes of recipes and training runs."""
