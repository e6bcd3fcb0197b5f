"""Middleware that processes every request before its route."""
