"""The periodic scheduler: it notifies every queue, so that a lost notification costs only delay."""
