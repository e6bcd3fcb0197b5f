"""Mutated uploads against a stack of its own, and the whole API against its own document."""
