"""Renders the metrics page for Prometheus."""
