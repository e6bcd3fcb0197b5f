"""The base classes of errors: code, HTTP status, sentence with the next step, and whether to retry.

A module's own errors subclass the nearest class here and define `code` and `text`. `text` is
formatted with the facts given at the raise and is registered under its code. No fact may say
anything about a patient.
"""

from typing import ClassVar

from shared.domain.messages import Message, format_text
from shared.domain.texts import add_text


class SeraError(Exception):
    """An error that tells a person or a program what to do next."""

    code: str = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    retry_after_s: ClassVar[int] = 1
    """The Retry-After of a retryable error, unless the facts contain `retry_after_s`."""
    text: ClassVar[str] = (
        "Something went wrong inside SERA. Report it to your administrator with the request id."
    )

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        add_text(cls.code, cls.text)

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(format_text(self.text, facts, str))

    @property
    def message(self) -> Message:
        """Code and facts, to be stored and translated later into the language of the user."""
        return Message(self.code, self.facts)


add_text(SeraError.code, SeraError.text)


class InputError(SeraError):
    """The input cannot be used in its present form."""

    code = "invalid-input"
    status = 422
    text = "The input cannot be used: {problem}."


class Unauthenticated(SeraError):
    code = "unauthenticated"
    status = 401
    text = (
        "No valid API key or session came with the request. Send `Authorization: Bearer KEY`, or "
        "sign in at /sign-in."
    )


class Forbidden(SeraError):
    code = "forbidden"
    status = 403
    text = (
        "The role {role} may not do that. Ask an operator for a key or an account with the role "
        "{needed}."
    )


class NotFound(SeraError):
    code = "not-found"
    status = 404
    text = "There is no such {thing}, or it is not yours to see."


class Conflict(SeraError):
    code = "conflict"
    status = 409
    text = "The request conflicts with the present state: {problem}."


class Gone(SeraError):
    code = "gone"
    status = 410
    text = "The {thing} was there once and is no more."


class TooLarge(SeraError):
    code = "too-large"
    status = 413
    text = (
        "The request is larger than {limit_mib} MiB. Send a smaller image, or a crop around the "
        "nodule."
    )


class Unavailable(SeraError):
    code = "unavailable"
    status = 503
    retryable = True
    text = (
        "{service} cannot be reached at the moment. Nothing was lost; send the request again "
        "shortly."
    )


class StorageFull(Unavailable):
    code = "storage-full"
    status = 507
    retry_after_s = 30
    text = (
        "There is no room left where SERA keeps {what}. Nothing was taken. An administrator has to "
        "free space there or give it a larger disk (`./sera doctor` says how much is free); then "
        "send the request again."
    )
