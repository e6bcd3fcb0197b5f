"""Routes of monitoring: drift, quality, performance, coverage and metrics."""
