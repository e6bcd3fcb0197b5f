"""API schemas of people who sign in."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText
from shared.domain.roles import Role

MAX_NAME_LENGTH = 100
SignInName = Annotated[
    PlainText,
    Field(min_length=3, max_length=MAX_NAME_LENGTH, pattern=r"^\s*[^\s]+\s*$"),
]


class NewPerson(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "a.reader@north.example", "role": "reader"}]
        },
    )
    name: SignInName = Field(
        description="Sign-in name, for example an e-mail address. It is stored in lower case."
    )
    role: Role = Field(
        description="A hospital's administrator creates `submitter` and `reader` people."
    )
    hospital: PlainText | None = Field(
        None,
        description="Name of the hospital. A hospital's own administrator omits this field.",
    )
    subject: PlainText | None = Field(
        None,
        min_length=1,
        description="Subject (`sub`) of the person at the identity provider. Such a person has no "
        "password here.",
    )


class RoleChange(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Role = Field(
        description="The new role. A person of a hospital needs a hospital's role, a person "
        "without a hospital a system role."
    )


class PersonView(BaseModel):
    id: UUID
    name: str
    role: Role
    hospital: str | None = Field(
        description="Null for people who belong to no hospital."
    )
    must_change: bool = Field(
        description="Whether the password is valid only for the next sign-in."
    )
    totp_since: datetime | None = Field(
        description="Time since which sign-in requires an authenticator's code; null if no code "
        "is required."
    )
    failures: int = Field(description="Failed attempts in a row.")
    locked_until: datetime | None
    signed_in_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime


class OneTimeView(PersonView):
    one_time_password: str | None = Field(
        description="The one-time password. Only this response contains it. The person changes it "
        "at the first sign-in. Null for a person who signs in by an identity provider."
    )
