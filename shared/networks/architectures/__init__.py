"""The networks, one module for each family."""
