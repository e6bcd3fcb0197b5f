"""What cases turned out to be."""

from shared.ledger.scope import Scoped


class Outcomes(Scoped):
    """A hospital's own."""
