"""Errors of signing in, and of changing a password or second factor."""

from shared.errors import (
    Conflict,
    Forbidden,
    InputError,
    NotFound,
    SeraError,
    Unauthenticated,
    Unavailable,
)


class SignInRefused(Unauthenticated):
    code = "sign-in-refused"
    text = (
        "Name and password do not belong together, or the account is disabled. Check both, or "
        "ask who runs SERA."
    )


class TotpNeeded(Unauthenticated):
    code = "totp-needed"
    text = (
        "This account also asks for the code of its authenticator. Send it as `totp`, or a "
        "recovery code."
    )


class TotpWrong(Forbidden):
    code = "totp-wrong"
    text = (
        "The code is not right, or was used before. Wait for the authenticator's next one, or "
        "take a recovery code."
    )


class SignInLimited(SeraError):
    status = 429
    retryable = True


class SignInLocked(SignInLimited):
    code = "sign-in-locked"
    text = (
        "Too many wrong passwords for this name. Wait {retry_after_s} s and try again, or have an "
        "administrator unlock "
        "it: `./sera person unlock`."
    )


class SignInTooOften(SignInLimited):
    code = "sign-in-too-often"
    text = "Too many sign-ins from this address. Wait {retry_after_s} s and try again."


class PasswordWrong(Forbidden):
    code = "password-wrong"
    text = "The present password is not right. Check it and send the change again."


class PasswordUnchanged(InputError):
    code = "password-unchanged"
    text = "The new password is the old one. Choose another."


class NoSession(Conflict):
    code = "no-session"
    text = (
        "A key has no session and no password. Sign in with POST /v1/session first, or revoke "
        "the key at /v1/keys."
    )


class ProviderOff(NotFound):
    code = "oidc-off"
    text = (
        "This SERA has no provider of identities. Sign in with a name and a password."
    )


class ProviderRefused(Unauthenticated):
    code = "oidc-refused"
    text = (
        "Your hospital's sign-in did not vouch for you, or its answer could not be proven. Try "
        "again from the start."
    )


class OidcStateUnknown(Unauthenticated):
    code = "oidc-state"
    text = (
        "This sign-in was not begun in this browser, was finished before, or took too long. "
        "Begin again."
    )


class NoAccount(Forbidden):
    code = "oidc-nobody"
    text = (
        "You have no account here yet. Ask who runs SERA for one, and say by which sign-in you "
        "come."
    )


class ClaimsUnclear(Forbidden):
    code = "oidc-claims"
    text = (
        "Your hospital's sign-in names no role, or no hospital, that SERA knows. Ask who runs "
        "SERA to look at it."
    )


class AccountDisabled(Forbidden):
    code = "oidc-disabled"
    text = "Your account here is disabled. Ask who runs SERA."


PROBLEMS = {
    error.code: error.text
    for error in (
        ProviderRefused,
        OidcStateUnknown,
        NoAccount,
        ClaimsUnclear,
        AccountDisabled,
    )
}
"""Sentences of the sign-in page for a failed sign-in by an identity provider, by error code."""
PROBLEMS |= {
    SignInTooOften.code: "Too many sign-ins from this address. Wait a minute and try again.",
    Unavailable.code: "Your hospital's sign-in cannot be reached at the moment. Try again shortly.",
}
