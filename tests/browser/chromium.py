"""Finds Chromium for the browser tests, or installs Debian's package if this user may."""

import os
import shutil
import subprocess
from pathlib import Path

from playwright._impl._driver import compute_driver_executable

NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
"""The first is the same browser without windows. The others take seconds to open a context."""
PACKAGES = (Path(__file__).parents[2] / ".ci" / "packages.txt").read_text().split()
HOW = " ".join(("apt-get", "install", *PACKAGES))
INSTALL_TIMEOUT_S = 240


def find_chromium() -> str | None:
    """The path of the browser; None if there is none and none may be installed."""
    return _present() or (_install() and _present()) or None


def _present() -> str | None:
    paths = [shutil.which(name) for name in NAMES]
    path = next((path for path in paths if path), None)
    return path if path and _driver_starts() else None


def _driver_starts() -> bool:
    """Playwright's own Node.js needs a library that a small Debian lacks."""
    node = compute_driver_executable()[0]
    process = subprocess.run(
        [node, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return process.returncode == 0


def _install() -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    steps = (
        ["apt-get", "update", "-q"],
        [*HOW.split(), "-qy", "--no-install-recommends"],
    )
    try:
        for step in steps:
            process = subprocess.run(
                step,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=INSTALL_TIMEOUT_S,
            )
            if process.returncode != 0:
                return False
    except subprocess.TimeoutExpired:
        return False
    return True
