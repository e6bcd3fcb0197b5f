"""A hospital's wish for text that is burnt into its images."""

from sqlalchemy import select

from shared.domain.burnt_in_text import DEFAULT_TEXT_POLICY, TextPolicy
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import HospitalRow


class TextPolicies(HospitalRepository):
    def read(self) -> TextPolicy:
        """Return the hospital's policy, or the default."""
        query = select(HospitalRow.blank_text).where(HospitalRow.id == self._hospital)
        return text_policy(self._session.scalar(query))


def text_policy(setting: str | None) -> TextPolicy:
    """Return the policy of a hospital's setting `blank_text`; None means the default."""
    return DEFAULT_TEXT_POLICY if setting is None else TextPolicy(setting)
