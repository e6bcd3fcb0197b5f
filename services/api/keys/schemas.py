"""API schemas of API keys."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText
from shared.domain.roles import Role

YEAR_DAYS = 365
MAX_DAYS = 1095
MAX_OVERLAP_DAYS = 90


class NewKey(BaseModel):
    """A key to create."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"role": "submitter", "label": "PACS gateway", "expires_days": 365}
            ]
        },
    )
    role: Role = Field(
        description="A hospital's administrator creates `submitter` and `reader` keys."
    )
    label: PlainText = Field(
        description="Name by which you recognise the key. It must contain no secret and no "
        "patient data."
    )
    hospital: PlainText | None = Field(
        None,
        description="Name of the hospital. A hospital's own administrator omits this field.",
    )
    expires_days: int = Field(
        YEAR_DAYS, ge=1, le=MAX_DAYS, description="Days until the key expires."
    )


class Rotation(BaseModel):
    """The time during which the old key and its successor are both valid."""

    model_config = ConfigDict(extra="forbid")
    overlap_days: int = Field(
        default=7, ge=0, le=MAX_OVERLAP_DAYS, description="0 ends the old key at once."
    )


class KeyView(BaseModel):
    id: str = Field(
        description="The part of the key between its underscores; not secret."
    )
    role: Role
    hospital: str | None = Field(
        description="Null for keys that belong to no hospital."
    )
    label: str
    created_at: datetime
    expires_at: datetime | None = Field(description="Null if the key does not expire.")
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(
        description="Accurate to a minute; null if the key was never used."
    )
    replaced_by: str | None = Field(
        description="Id of the key that replaced this one by rotation."
    )


class NewKeyView(KeyView):
    key: str = Field(
        description="The complete key. Only this response shows it, because SERA stores only its "
        "hash."
    )
