"""Runs SERA: on this machine, with Docker, or on Kubernetes; and its monitoring."""
