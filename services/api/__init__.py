"""The gateway: HTTP in, 202 out. Never loads a model."""
