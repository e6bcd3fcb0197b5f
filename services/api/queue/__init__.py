"""Routes of the queue and its dead letters."""
