"""Settings that work and are not safe: `./sera doctor` warns of them, and production refuses to start with them."""

import ipaddress
import stat
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from shared.errors import SeraError
from shared.settings import ROOT, Settings

OTHERS = stat.S_IRWXO
LEAST_SECRET = 12
"""Characters of a password between machines, which nobody has to remember."""
WELL_KNOWN = {
    "adminadmin12",
    "changemechangeme",
    "minioadmin123",
    "minio123minio",
    "passwordpassword",
    "postgrespostgres",
}
"""Passwords long enough to pass and printed in other software's instructions."""
Told = str | None


class UnsafeSettings(SeraError):
    code = "unsafe-settings"
    text = "SERA_PRODUCTION is set, and these settings are not safe: {problems}."


def refuse_unsafe(settings: Settings) -> Settings:
    """The same settings; raises UnsafeSettings where they say production and one of them is not safe."""
    if settings.production and (told := warnings(settings)):
        raise UnsafeSettings(problems=". ".join(told))
    return settings


def warnings(settings: Settings) -> list[str]:
    """Sentences, each with the next step."""
    return [told for check in WARNINGS if (told := check(settings))]


def exposure(settings: Settings) -> Told:
    """Keys and images would cross the network in the clear."""
    if (settings.public_url or "").startswith("https://"):
        return None
    if settings.production:
        return "Browsers and hospitals need TLS. Put a proxy with TLS before SERA and set SERA_PUBLIC_URL=https://NAME"
    if within_this_machine(settings.host):
        return None
    return (
        f"SERA_HOST={settings.host} is open to the network without TLS. Put a proxy with TLS before it and set "
        "SERA_PUBLIC_URL=https://NAME, or set SERA_HOST=127.0.0.1"
    )


def open_home(settings: Settings) -> Told:
    """Images and the database's files are for our eyes only."""
    home = settings.home
    if home.exists() and stat.S_IMODE(home.stat().st_mode) & OTHERS:
        return (
            f"{home} is open to every user of this machine. Close it: chmod o= {home}"
        )
    return None


def default_home(settings: Settings) -> Told:
    if settings.home == ROOT / ".sera" and (
        settings.production or not within_this_machine(settings.host)
    ):
        return f"{settings.home} lies in the program's folder, where an update may remove it. Set SERA_HOME elsewhere"
    return None


def database_role(settings: Settings) -> Told:
    """A service needs a login that owns nothing and that the hospitals' row-level security holds for."""
    # Here, for what else uses settings may have no use for the ledger, which takes half a second to import.
    from shared.ledger.db_role import can_bypass_row_level_security

    if settings.database_url is None or not can_bypass_row_level_security(
        settings.database
    ):
        return None
    return (
        "The login of SERA_DATABASE_URL owns the tables or is a superuser: every transaction gives that up, but a "
        "login that never had it is safer. Give sera_service a password and name it in SERA_DATABASE_URL, and the "
        "owner in SERA_DATABASE_OWNER_URL"
    )


def engine_secrets(settings: Settings) -> Told:
    """Whoever reaches an engine over the network must know a secret that stands in no manual."""
    weak = sorted(
        name
        for name, parts in _engines(settings)
        if _over_the_network(parts) and _guessable(parts)
    )
    if not weak:
        return None
    return (
        f"The secret in {' and '.join(weak)} is absent, short or well known. Use {LEAST_SECRET} or more characters "
        "drawn at random"
    )


def plain_objects(settings: Settings) -> Told:
    """Images would cross the network in the clear."""
    parts = urlsplit(settings.objects)
    if (
        parts.scheme != "s3"
        or within_this_machine(parts.hostname or "")
        or "secure=true" in parts.query
    ):
        return None
    return "SERA_OBJECTS_URL sends images over the network without TLS. Add ?secure=true to it"


def believed_proxies(settings: Settings) -> Told:
    """If everybody's X-Forwarded-For is believed, the audit trail says whatever a stranger likes."""
    if any(each.strip().endswith("/0") for each in settings.trusted_proxies.split(",")):
        return "SERA_TRUSTED_PROXIES believes everybody. Name the address of the proxy"
    return None


def demo_people(settings: Settings) -> Told:
    """Their passwords lie in a file and never need a change."""
    if not (settings.production and settings.demo_passwords.exists()):
        return None
    return (
        "People of `./sera demo` can sign in. Start without SERA_PRODUCTION, disable each (`./sera person disable "
        f"NAME`) and remove {settings.demo_passwords}, or use another SERA_HOME"
    )


Check = Callable[[Settings], Told]
WARNINGS: tuple[Check, ...] = (
    exposure,
    open_home,
    default_home,
    database_role,
    engine_secrets,
    plain_objects,
    believed_proxies,
    demo_people,
)


def within_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _engines(settings: Settings) -> Iterator[tuple[str, SplitResult]]:
    for name in ("database_url", "broker_url", "objects_url"):
        if secret := getattr(settings, name):
            yield f"SERA_{name.upper()}", urlsplit(secret.get_secret_value())


def _over_the_network(parts: SplitResult) -> bool:
    """Neither a socket or folder of this machine nor a loopback address."""
    host = parts.hostname
    return host is not None and not within_this_machine(host)


def _guessable(parts: SplitResult) -> bool:
    secret = unquote(parts.password or "")
    return (
        len(secret) < LEAST_SECRET
        or secret == unquote(parts.username or "")
        or secret.lower() in WELL_KNOWN
    )
