"""Seals the audit trail when beat rings for it."""

from collections.abc import Callable

from shared.errors import Unavailable
from shared.ledger import Ledger
from shared.ledger.audit.seals import Signer
from shared.observability.logs import log


class Sealer:
    """Each seal goes to the log too, which lies elsewhere: there it outlives a ledger that is made anew."""

    def __init__(self, ledger: Ledger, load_signer: Callable[[], Signer]) -> None:
        self._ledger = ledger
        self._key = load_signer

    def seal(self) -> None:
        """Seal what has grown; if the database is away, the next ring does it."""
        try:
            with self._ledger.system_session("worker") as session:
                made = session.seals.add(self._key())
        except Unavailable as away:
            log().warning("audit.unsealed", problem=str(away))
            return
        for seal in made:
            log().info("audit.sealed", **vars(seal))
