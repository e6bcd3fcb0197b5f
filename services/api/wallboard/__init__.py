"""The route of the wallboard: throughput, latency and queue on one page."""
