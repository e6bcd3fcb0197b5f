"""Queries of dashboards, the wallboard and Prometheus."""
