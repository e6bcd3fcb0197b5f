"""Seals the audit trail when beat notifies."""

from collections.abc import Callable

from shared.errors import Unavailable
from shared.ledger import Ledger
from shared.ledger.audit.seals import Signer
from shared.observability.logs import log


class Sealer:
    """Writes each seal to the log too.

    The log is stored elsewhere, so its seals survive if the ledger is replaced by a new one.
    """

    def __init__(self, ledger: Ledger, load_signer: Callable[[], Signer]) -> None:
        self._ledger = ledger
        self._load_signer = load_signer

    def seal(self) -> None:
        """Seal the new events. If the database is unavailable, they are sealed at the next
        notification.
        """
        try:
            with self._ledger.system_session("worker") as session:
                seals = session.seals.add(self._load_signer())
        except Unavailable as error:
            log().warning("audit.unsealed", problem=str(error))
            return
        for seal in seals:
            log().info("audit.sealed", **vars(seal))
