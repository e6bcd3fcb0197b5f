"""Puts the last seal down outside the database, where sealing then goes on from."""

from collections.abc import Sequence
from contextlib import suppress

from shared.domain.audit.events import Event
from shared.domain.audit.series import Witness, WitnessUnreadable
from shared.ledger import Ledger
from shared.security.last_seal import LastSealPlace, read_witnesses

LOST_SEAL_TEXT = (
    "The trail ends before this seal, which was put down earlier: keep its line, for it shows that "
    "events are missing: {line}"
)


def put_down_last(url: str, places: Sequence[LastSealPlace]) -> list[str]:
    """Put the last seal of the database at `url` down; returns the lines that it replaced."""
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.system_session("cli") as session:
            last = session.seals.last_of_series()
    finally:
        ledger.close()
    return _replace(places, last.witness if last else None)


def resume(ledger: Ledger, places: Sequence[LastSealPlace]) -> list[str]:
    """Put the last seal down, and put that on record; returns the lines that it replaced."""
    before = {witness.hash for witness in _witnesses(places)}
    with ledger.system_session("cli") as session:
        last = session.seals.last_of_series()
        witness = last.witness if last else None
        after = witness.hash if witness else None
        session.audit.record(Event.SEALS_RESUMED, before=sorted(before), after=after)
    return _replace(places, witness)


def _witnesses(places: Sequence[LastSealPlace]) -> list[Witness]:
    """What the places have. A line that is none, such as a damaged one, is to be replaced."""
    witnesses: list[Witness] = []
    for place in places:
        with suppress(WitnessUnreadable):
            witnesses += read_witnesses([place])
    return witnesses


def _replace(places: Sequence[LastSealPlace], last: Witness | None) -> list[str]:
    """Returns the lines that say something else, each once."""
    replaced = [
        str(witness)
        for witness in _witnesses(places)
        if last is None or witness.hash != last.hash
    ]
    for place in places:
        place.write(last)
    return list(dict.fromkeys(replaced))
