"""Feature tables: extraction, cache, and the features of each fold."""
