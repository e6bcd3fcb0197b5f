"""What dashboards, the wallboard and Prometheus read."""
