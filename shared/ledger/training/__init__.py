"""Training runs, their steps, and the trainers that work on them."""
