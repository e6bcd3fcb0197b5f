"""Logs, metrics, traces, timings, and the files that say whether a process is ready and alive."""
