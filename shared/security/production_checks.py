"""Finds settings that work but are not safe.

`./sera doctor` warns of them, and production refuses to start with them.
"""

import ipaddress
import stat
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, parse_qs, parse_qsl, unquote, urlsplit

from shared.errors import SeraError
from shared.security.loopback import is_loopback
from shared.settings import ROOT, Settings

OTHER_USERS = stat.S_IRWXO
MIN_SECRET_LENGTH = 12
"""The minimum length of a password between machines. No person has to remember such a password."""
WELL_KNOWN_SECRETS = {
    "adminadmin12",
    "changemechangeme",
    "minioadmin123",
    "minio123minio",
    "passwordpassword",
    "postgrespostgres",
}
"""Passwords that are long enough and are printed in the instructions of other software."""
UNENCRYPTED_OPTIONS = {
    ("sslmode", "disable"),
    ("sslmode", "allow"),
    ("ssl_cert_reqs", "none"),
    ("ssl_cert_reqs", "optional"),
    ("ssl_check_hostname", "false"),
}
"""Options of an address that turn TLS off, or leave unchecked who answers."""
MIN_PROXY_PREFIX = {4: 8, 6: 16}
"""The shortest prefix of a network of proxies, by the version of its addresses."""
IPV4_IN_IPV6 = ipaddress.IPv6Network("::ffff:0:0/96")
SettingWarning = str | None


class UnsafeSettings(SeraError):
    code = "unsafe-settings"
    text = "SERA_PRODUCTION is set, and these settings are not safe: {problems}."


def refuse_unsafe(settings: Settings) -> Settings:
    """Returns the settings. Raises UnsafeSettings in production if one of them is not safe."""
    if settings.production:
        problems = warnings(settings)
        if problems:
            raise UnsafeSettings(problems=". ".join(problems))
    return settings


def warnings(settings: Settings) -> list[str]:
    """Return one sentence for each unsafe setting, with the next step."""
    problems = [check(settings) for check in CHECKS]
    return [problem for problem in problems if problem]


def exposure(settings: Settings) -> SettingWarning:
    """Without TLS, API keys and images cross the network unencrypted."""
    if (settings.public_url or "").startswith("https://"):
        return None
    if settings.production:
        return (
            "Browsers and hospitals need TLS. Put a proxy with TLS before SERA and set "
            "SERA_PUBLIC_URL=https://NAME"
        )
    if is_loopback(settings.host):
        return None
    return (
        f"SERA_HOST={settings.host} is open to the network without TLS. Put a proxy with TLS "
        "before it and set SERA_PUBLIC_URL=https://NAME, or set SERA_HOST=127.0.0.1"
    )


def open_home(settings: Settings) -> SettingWarning:
    """Other users of the machine must not read images and the database's files."""
    home = settings.home
    if home.exists() and stat.S_IMODE(home.stat().st_mode) & OTHER_USERS:
        return (
            f"{home} is open to every user of this machine. Close it: chmod o= {home}"
        )
    return None


def default_home(settings: Settings) -> SettingWarning:
    """The data folder (SERA_HOME) must not lie in the program's folder."""
    if settings.home != ROOT / ".sera":
        return None
    if not settings.production and is_loopback(settings.host):
        return None
    return (
        f"{settings.home} lies in the program's folder, where an update may remove it. Set "
        "SERA_HOME elsewhere"
    )


def database_role(settings: Settings) -> SettingWarning:
    """A service needs a login that owns nothing and is subject to row-level security."""
    # Imported here, because importing the ledger takes half a second.
    from shared.ledger.db_role import can_bypass_row_level_security

    if settings.database_url is None or not can_bypass_row_level_security(
        settings.database
    ):
        return None
    return (
        "The login of SERA_DATABASE_URL owns the tables or is a superuser. SERA gives up these "
        "rights in every transaction, but a login without them is safer. Give the database role "
        "sera_service a password, put this login into SERA_DATABASE_URL, and the owner's login "
        "into SERA_DATABASE_OWNER_URL"
    )


def engine_secrets(settings: Settings) -> SettingWarning:
    """A database, broker or object store on the network needs a secret that is in no manual."""
    weak = []
    for name, url in _engine_urls(settings):
        if _is_remote(url) and _has_weak_secret(url):
            weak.append(name)
    if not weak:
        return None
    names = " and ".join(sorted(weak))
    return (
        f"The secret in {names} is absent, short or well known. Use {MIN_SECRET_LENGTH} or more "
        "characters drawn at random"
    )


def engine_encryption(settings: Settings) -> SettingWarning:
    """With TLS turned off, results and passwords cross the network unencrypted."""
    open_engines = []
    for name, url in _engine_urls(settings):
        options = {(key, value.lower()) for key, value in parse_qsl(url.query)}
        if _is_remote(url) and options & UNENCRYPTED_OPTIONS:
            open_engines.append(name)
    if not open_engines:
        return None
    return (
        f"TLS is turned off, or not verified, in {' and '.join(sorted(open_engines))}. Use "
        "sslmode=verify-full for the database, and rediss:// without ssl_ options for the broker"
    )


def plain_objects(settings: Settings) -> SettingWarning:
    """Without TLS, images cross the network unencrypted."""
    parts = urlsplit(settings.objects)
    if parts.scheme != "s3" or set(parse_qs(parts.query).get("secure", ())) == {"true"}:
        return None
    if is_loopback(parts.hostname or ""):
        return None
    return "SERA_OBJECTS_URL sends images over the network without TLS. Add ?secure=true to it"


def trusted_proxies(settings: Settings) -> SettingWarning:
    """If X-Forwarded-For of strangers is trusted, they choose the address in the audit trail."""
    if any(map(_is_wide_network, settings.trusted_proxies.split(","))):
        return (
            "SERA_TRUSTED_PROXIES trusts X-Forwarded-For from far more addresses than a proxy has. "
            "Name the address of the proxy"
        )
    return None


def demo_people(settings: Settings) -> SettingWarning:
    """The demo's passwords are in a file, and SERA never asks for them to be changed."""
    if not (settings.production and settings.demo_passwords.exists()):
        return None
    return (
        "People of `./sera demo` can sign in. Start without SERA_PRODUCTION, disable each "
        f"(`./sera person disable NAME`) and remove {settings.demo_passwords}, or use another "
        "SERA_HOME"
    )


Check = Callable[[Settings], SettingWarning]
CHECKS: tuple[Check, ...] = (
    exposure,
    open_home,
    default_home,
    database_role,
    engine_secrets,
    engine_encryption,
    plain_objects,
    trusted_proxies,
    demo_people,
)


def _engine_urls(settings: Settings) -> Iterator[tuple[str, SplitResult]]:
    for name in ("database_url", "database_owner_url", "broker_url", "objects_url"):
        secret = getattr(settings, name)
        if secret:
            yield f"SERA_{name.upper()}", urlsplit(secret.get_secret_value())


def _is_remote(url: SplitResult) -> bool:
    """Whether the address is on another machine: no socket, no folder and no loopback address.

    PostgreSQL takes the host, or several, from the parameters of the address as well.
    """
    parameters = parse_qs(url.query)
    hosts = [host for host in (url.hostname,) if host is not None]
    for name in ("host", "hostaddr"):
        for value in parameters.get(name, ()):
            hosts += value.split(",")
    return any(
        not host.startswith("/") and not _is_loopback_port(host) for host in hosts
    )


def _is_loopback_port(host: str) -> bool:
    """Whether a host, with or without a port, is this machine."""
    return is_loopback(host) or is_loopback(host.rpartition(":")[0].strip("[]"))


def _has_weak_secret(url: SplitResult) -> bool:
    passwords = parse_qs(url.query).get("password", ())
    secret = unquote(url.password or "") or next(iter(passwords), "")
    return (
        len(secret) < MIN_SECRET_LENGTH
        or secret == unquote(url.username or "")
        or secret.lower() in WELL_KNOWN_SECRETS
    )


def _is_wide_network(text: str) -> bool:
    """Whether strangers are in the network. A text that is no network is refused elsewhere."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError:
        return False
    if network.version == 6 and network.overlaps(IPV4_IN_IPV6):
        return network.prefixlen < IPV4_IN_IPV6.prefixlen + MIN_PROXY_PREFIX[4]
    return network.prefixlen < MIN_PROXY_PREFIX[network.version]
