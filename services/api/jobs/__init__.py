"""Routes of jobs: their state, waiting for their end, and repeating them."""
