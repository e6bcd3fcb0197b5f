"""Valid examples that tests change where it matters."""

from shared.ledger.cases import NewCase

CASE = NewCase("a" * 64, 1000, "png", 300, 300, 14.5, None, "case-1")
