"""SERA on one machine: the real engines, embedded, and the services, under one supervisor."""

from deploy.local.child import Backoff, Child
from deploy.local.services import SERVICES
from deploy.local.stack import EmbeddedEngines, Stack, Urls
from deploy.local.state import StackState
from deploy.local.supervisor import Event, Phase

__all__ = [
    "SERVICES",
    "Backoff",
    "Child",
    "EmbeddedEngines",
    "Event",
    "Phase",
    "Stack",
    "StackState",
    "Urls",
]
