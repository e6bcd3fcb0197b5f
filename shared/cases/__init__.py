"""The application layer: how a case is accepted, prepared and decided.

The package imports none of its modules, so that a process loads only the modules it needs.
"""
