"""Runs SERA on one machine: embedded PostgreSQL and Valkey, and the services, supervised."""

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
