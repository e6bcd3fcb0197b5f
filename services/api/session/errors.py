"""What keeps somebody from signing in, or from changing how they do."""

from shared.errors import Conflict, Forbidden, InputError, SeraError, Unauthenticated


class SignInRefused(Unauthenticated):
    code = "sign-in-refused"
    text = "Name and password do not belong together, or the account is disabled. Check both, or ask who runs SERA."


class TotpNeeded(Unauthenticated):
    code = "totp-needed"
    text = "This account also asks for the code of its authenticator. Send it as `totp`, or a recovery code."


class TotpWrong(Forbidden):
    code = "totp-wrong"
    text = "The code is not right, or was used before. Wait for the authenticator's next one, or take a recovery code."


class SignInLater(SeraError):
    status = 429
    retryable = True


class SignInLocked(SignInLater):
    code = "sign-in-locked"
    text = (
        "Too many wrong passwords for this name. Wait {retry_after_s} s and try again, or have an administrator unlock "
        "it: `./sera person unlock`."
    )


class SignInTooOften(SignInLater):
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
    text = "A key has no session and no password. Sign in with POST /v1/session first, or revoke the key at /v1/keys."
