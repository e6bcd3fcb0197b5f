"""The initial schema, that of the first release.

Revisions of releases begin with `r`. Those of four digits are of before the first release, and no
code knows them any more (`shared/ledger/schema/compatibility.py`).
"""

from shared.ledger.migrations import initial

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    initial.create()


def downgrade() -> None:
    initial.drop()
