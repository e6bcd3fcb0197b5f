"""`python -m shared.ledger migrate`: the one-shot migration job."""

import sys

from shared.ledger.migrate import migrate
from shared.settings import Settings

if sys.argv[1:] != ["migrate"]:
    sys.exit("usage: python -m shared.ledger migrate")
migrate(Settings().database_owner)
