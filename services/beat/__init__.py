"""The periodic scheduler: it notifies every queue, so that a lost notification causes only a
delay.
"""
