"""Logs, metrics, traces, timings, and the files by which a process says that it is ready and alive."""
