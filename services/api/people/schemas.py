"""People who sign in, without their secrets."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText
from shared.domain.roles import Role

SignInName = Annotated[
    PlainText, Field(min_length=3, max_length=100, pattern=r"^\s*[^\s]+\s*$")
]


class NewPerson(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "a.reader@north.example", "role": "reader"}]
        },
    )
    name: SignInName = Field(
        description="To sign in with, e.g. an address of the hospital's; kept in small letters."
    )
    role: Role = Field(
        description="A hospital's administrator makes `submitter` and `reader` people."
    )
    hospital: PlainText | None = Field(
        None, description="By name; left out by a hospital's own administrator."
    )
    subject: PlainText | None = Field(
        None,
        min_length=1,
        description="Who it is (`sub`) to the provider of identities; comes without a password.",
    )


class RoleChange(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Role = Field(description="Within the same hospital, or of the house.")


class PersonView(BaseModel):
    id: UUID
    name: str
    role: Role
    hospital: str | None = Field(description="Null for people of the house.")
    must_change: bool = Field(
        description="The password is one for the next sign-in only."
    )
    totp_since: datetime | None = Field(
        description="Since when an authenticator's code is asked for; null: it is not."
    )
    failures: int = Field(description="Wrong tries in a row.")
    locked_until: datetime | None
    signed_in_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime


class OneTimeView(PersonView):
    one_time_password: str | None = Field(
        description="Shown this once, to be changed at the first sign-in; null for who comes by a provider."
    )
