"""Running a program as another user when we are root, wherever it lies.

PostgreSQL refuses uid 0. As another user it may not be able to pass the folders above `.venv` and
SERA_HOME (`/root` is 0700), and those are not ours to open. So it keeps one capability: to pass and
read folders, nothing else. The securebit is for `access(2)`, which otherwise answers as if the
capability were not there.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import NoServerUser
from deploy.local.process import setpriv

NOBODY = "nobody"
CAPABILITIES = ("", "dac_read_search", "dac_override")
"""From least to most; containers often withhold the second and grant the third."""


def server_uid(data: Path) -> int:
    """The owner of the database if there is one; else us, or `nobody` for root."""
    if data.exists():
        return data.stat().st_uid
    return os.geteuid() or pwd.getpwnam(NOBODY).pw_uid


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def become(uid: int, program: Path, folders: Sequence[Path]) -> tuple[str, ...]:
    """The setpriv options with which root runs `program` as `uid`, with the least that lets it
    reach `folders`.
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
        tried = subprocess.run(
            [*command, *folders],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if tried.returncode == 0:
            return options
        problem = tried.stderr.strip() or "it cannot reach its files"
    raise NoServerUser(user=user_name(uid), problem=problem.splitlines()[-1])


_REACH = 'for folder in "$@"; do test -x "$folder" || exit 1; done; exec "$0" --version'


def _options(uid: int, capability: str) -> tuple[str, ...]:
    keep = f",+{capability}" if capability else ""
    bits = (
        ("--securebits=+no_setuid_fixup", f"--ambient-caps=-all{keep}")
        if capability
        else ()
    )
    who = (
        f"--reuid={uid}",
        f"--regid={_group(uid)}",
        "--clear-groups",
        "--no-new-privs",
    )
    return (*who, f"--inh-caps=-all{keep}", *bits)


def _group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid
