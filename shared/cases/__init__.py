"""The application layer: what is done with a case, for every process that does it.

This package imports none of its modules, so that whoever needs one of them loads no more than that one needs.
"""
