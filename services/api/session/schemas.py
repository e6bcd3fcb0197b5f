"""Who signs in, and who has."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText
from shared.domain.roles import Role

MAX_SECRET_LENGTH = 1000
"""Letters of anything secret that somebody types: bounds the work, and is no rule for passwords."""


class SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: PlainText = Field(
        description="The name to sign in with; small and capital letters are the same."
    )
    password: str = Field(min_length=1, max_length=MAX_SECRET_LENGTH)
    totp: str | None = Field(
        None,
        max_length=64,
        description="The authenticator's six digits, or a recovery code.",
    )


class NewPassword(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"old": "the present one", "new": "several words of no sense"}]
        },
    )
    old: str = Field(
        min_length=1,
        max_length=MAX_SECRET_LENGTH,
        description="The present password, or the one-time one.",
    )
    new: str = Field(
        max_length=MAX_SECRET_LENGTH,
        description="12 letters or more; of any kind, but not easily guessed.",
    )


class CallerView(BaseModel):
    """Whom a request speaks for."""

    role: Role
    hospital: str | None = Field(description="Null for people and keys of the house.")
    person_id: UUID | None = Field(description="Null for a key.")
    name: str | None = Field(description="The person's; null for a key.")
    must_change: bool = Field(
        description="Whether the password has to be changed before anything else is done."
    )
    totp: bool = Field(
        description="Whether an authenticator's code is asked for at sign-in."
    )
    expires_at: datetime | None = Field(
        description="When the session ends however much it is used; null for a key."
    )
    csrf: str | None = Field(
        description="To be sent as `X-CSRF-Token` with all that changes anything; null for a key."
    )


class Code(BaseModel):
    model_config = ConfigDict(extra="forbid")
    code: str = Field(
        min_length=1,
        max_length=64,
        description="The six digits that the authenticator shows.",
    )


class Removal(Code):
    password: str = Field(min_length=1, max_length=MAX_SECRET_LENGTH)


class TotpBegun(BaseModel):
    secret: str = Field(
        description="For typing into the authenticator; shown this once."
    )
    uri: str = Field(description="The same as an `otpauth:` address.")
    qr: str = Field(
        description="The same as a QR code: an SVG image in a `data:` address."
    )


class TotpOn(BaseModel):
    recovery_codes: list[str] = Field(
        description="Each good for one sign-in without the authenticator; shown this once."
    )
