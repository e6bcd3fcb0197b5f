"""Seals the audit trail when beat notifies."""

from collections.abc import Callable, Sequence

from shared.domain.audit.series import Witness, WitnessUnreadable
from shared.errors import SeraError, Unavailable
from shared.ledger import Ledger
from shared.ledger.audit.seals import SealsInterrupted, Signer
from shared.observability.logs import log
from shared.security.last_seal import LastSealPlace, read_witnesses


class Sealer:
    """Writes each seal to the log too, and puts the last one down in places outside the database.

    The log is stored elsewhere, so its seals survive if the ledger is replaced by a new one. What
    is in the places must be in the ledger: the sealer does not begin a series anew.
    """

    def __init__(
        self,
        ledger: Ledger,
        load_signer: Callable[[], Signer],
        places: Sequence[LastSealPlace] = (),
    ) -> None:
        self._ledger = ledger
        self._load_signer = load_signer
        self._places = places

    def seal(self) -> None:
        """Seal the new events. If an engine is unavailable, they are sealed at the next
        notification.
        """
        try:
            witnesses = read_witnesses(self._places)
            with self._ledger.system_session("worker") as session:
                seals = session.seals.add(self._load_signer(), witnesses)
                last = session.seals.last_of_series()
        except (SealsInterrupted, WitnessUnreadable) as error:
            log().error("audit.seals-interrupted", problem=str(error))
            return
        except (Unavailable, OSError) as error:
            log().warning("audit.unsealed", problem=str(error))
            return
        for seal in seals:
            log().info("audit.sealed", **vars(seal))
        if last:
            self._put_down(last.witness)

    def _put_down(self, witness: Witness) -> None:
        """Each place by itself: an older seal in one of them is no obstacle."""
        log().info("audit.witness", line=str(witness))
        for place in self._places:
            try:
                place.write(witness)
            except (SeraError, OSError) as error:
                log().warning("audit.last-seal-not-kept", problem=str(error))
