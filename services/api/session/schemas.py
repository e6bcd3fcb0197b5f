"""API schemas of signing in."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText
from shared.domain.roles import Role

MAX_SECRET_LENGTH = 1000
"""Maximum characters of a secret. It limits the work of hashing and is no rule for passwords."""


class SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: PlainText = Field(description="Sign-in name; upper and lower case are equal.")
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
        description="At least 12 characters of any kind, not easily guessed.",
    )


class CallerView(BaseModel):
    """The person or key that a request is authenticated as."""

    role: Role
    hospital: str | None = Field(
        description="Null for people and keys that belong to no hospital."
    )
    person_id: UUID | None = Field(description="Null for a key.")
    name: str | None = Field(description="Name of the person; null for a key.")
    must_change: bool = Field(
        description="Whether the password must be changed before any other request."
    )
    totp: bool = Field(
        description="Whether sign-in requires a code of an authenticator."
    )
    expires_at: datetime | None = Field(
        description="Time at which the session ends, even if it is in use; null for a key."
    )
    csrf: str | None = Field(
        description="Send it as `X-CSRF-Token` with every request that changes anything; null for "
        "a key."
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
        description="Secret for the authenticator. Only this response contains it."
    )
    uri: str = Field(description="The secret as an `otpauth:` address.")
    qr: str = Field(
        description="The secret as a QR code: an SVG image in a `data:` address."
    )


class TotpOn(BaseModel):
    recovery_codes: list[str] = Field(
        description="Each code is valid for one sign-in without the authenticator. Only this "
        "response contains the codes."
    )
