"""What `./sera doctor` warns of: settings that work and are not safe."""

import ipaddress
import stat
from collections.abc import Callable

from shared.settings import ROOT, Settings

OTHERS = stat.S_IRWXO
Told = str | None


def exposure(settings: Settings) -> Told:
    """Keys and images would cross the network in the clear."""
    if within_this_machine(settings.host) or (settings.public_url or "").startswith("https://"):
        return None
    return (
        f"SERA_HOST={settings.host} is open to the network without TLS. Put a proxy with TLS before it and set "
        "SERA_PUBLIC_URL=https://NAME, or set SERA_HOST=127.0.0.1"
    )


def open_home(settings: Settings) -> Told:
    """Images and the database's files are for our eyes only."""
    home = settings.home
    if home.exists() and stat.S_IMODE(home.stat().st_mode) & OTHERS:
        return f"{home} is open to every user of this machine. Close it: chmod o= {home}"
    return None


def default_home(settings: Settings) -> Told:
    if settings.home == ROOT / ".sera" and not within_this_machine(settings.host):
        return f"{settings.home} lies in the program's folder, where an update may remove it. Set SERA_HOME elsewhere"
    return None


def database_role(settings: Settings) -> Told:
    """A service needs a role that owns nothing and that the hospitals' row-level security holds for."""
    if settings.database_url is None:
        return None
    from shared.ledger.powers import powers

    if not (found := powers(settings.database)):
        return None
    return (
        f"The role of SERA_DATABASE_URL has more power than SERA needs ({', '.join(found)}). Give SERA a role made "
        "with NOSUPERUSER NOBYPASSRLS NOCREATEROLE"
    )


WARNINGS: tuple[Callable[[Settings], Told], ...] = (exposure, open_home, default_home, database_role)


def warnings(settings: Settings) -> list[str]:
    """Sentences, each with the next step."""
    return [told for check in WARNINGS if (told := check(settings))]


def within_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
