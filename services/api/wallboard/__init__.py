"""The route of the wallboard: throughput, latency and queue at a glance."""
