"""Formats what commands print: lists, results, progress."""
