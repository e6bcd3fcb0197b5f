"""API keys, without their secrets."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText
from shared.domain.roles import Role

YEAR_DAYS = 365
MOST_DAYS = 1095
MOST_OVERLAP_DAYS = 90


class NewKey(BaseModel):
    """What the key is for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"role": "submitter", "label": "PACS gateway", "expires_days": 365}
            ]
        },
    )
    role: Role = Field(
        description="A hospital's administrator makes `submitter` and `reader` keys."
    )
    label: PlainText = Field(
        description="A word to know it by; no secret, and no patient data."
    )
    hospital: PlainText | None = Field(
        None, description="By name; left out by a hospital's own administrator."
    )
    expires_days: int = Field(
        YEAR_DAYS, ge=1, le=MOST_DAYS, description="Days after which it ends by itself."
    )


class Rotation(BaseModel):
    """How long the old key and its successor are both good."""

    model_config = ConfigDict(extra="forbid")
    overlap_days: int = Field(
        default=7, ge=0, le=MOST_OVERLAP_DAYS, description="0 ends the old key at once."
    )


class KeyView(BaseModel):
    id: str = Field(
        description="The part of the key between its underscores; no secret."
    )
    role: Role
    hospital: str | None = Field(description="Null for keys of the house.")
    label: str
    created_at: datetime
    expires_at: datetime | None = Field(description="Null: it does not end by itself.")
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(
        description="To a minute; null if it never was."
    )
    replaced_by: str | None = Field(
        description="The id of the key that it was rotated to."
    )


class NewKeyView(KeyView):
    key: str = Field(
        description="The whole key, shown this once: only its hash is kept."
    )
