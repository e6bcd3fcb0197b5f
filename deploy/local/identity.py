"""Runs a program as another user when SERA runs as root.

PostgreSQL refuses to run as uid 0. Another user may be unable to enter the folders above `.venv`
and SERA_HOME (`/root` has mode 0700), and SERA does not change permissions there. So the program
keeps one capability, to enter and read folders. The securebit is needed by `access(2)`, which
otherwise ignores the capability.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import NoServerUser
from deploy.local.process import setpriv

UNPRIVILEGED_USER = "nobody"
CAPABILITIES = ("", "dac_read_search", "dac_override")
"""Ordered from weakest to strongest. Containers often have the third capability but not the
second.
"""


def server_uid(data: Path) -> int:
    """Return the owner of the database if it exists, else this user, or `nobody` if this user is
    root.
    """
    if data.exists():
        return data.stat().st_uid
    return os.geteuid() or pwd.getpwnam(UNPRIVILEGED_USER).pw_uid


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def become(uid: int, program: Path, folders: Sequence[Path]) -> tuple[str, ...]:
    """Return the setpriv options with which root runs `program` as `uid`.

    They grant the weakest capability with which the program can open `folders`. Raises
    NoServerUser.
    """
    problem = ""
    for capability in CAPABILITIES:
        options = _options(uid, capability)
        command: list[str | Path] = [
            setpriv(),
            *options,
            "--",
            "/bin/sh",
            "-c",
            _REACH,
            program,
        ]
        result = subprocess.run(
            [*command, *folders],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if result.returncode == 0:
            return options
        problem = result.stderr.strip() or "it cannot reach its files"
    raise NoServerUser(user=user_name(uid), problem=problem.splitlines()[-1])


_REACH = 'for folder in "$@"; do test -x "$folder" || exit 1; done; exec "$0" --version'


def _options(uid: int, capability: str) -> tuple[str, ...]:
    keep = f",+{capability}" if capability else ""
    capability_options = (
        ("--securebits=+no_setuid_fixup", f"--ambient-caps=-all{keep}")
        if capability
        else ()
    )
    identity = (
        f"--reuid={uid}",
        f"--regid={_group(uid)}",
        "--clear-groups",
        "--no-new-privs",
    )
    return (*identity, f"--inh-caps=-all{keep}", *capability_options)


def _group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid
