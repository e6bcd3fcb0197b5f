"""The installed packages of the lock files have licences that CONTRIBUTING.md allows."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==", re.MULTILINE)
ALLOWED = re.compile(
    r"apache|\bMIT|\bBSD|\b0BSD|\bISC\b|\bPSF|python software foundation|mozilla"
    r"|\bMPL|lesser|\bLGPL",
    re.I,
)
LEFT_OUT = re.compile(r"affero|\bAGPL|\bSSPL|non.?commercial", re.I)
"""Never, whatever else a licence says."""
LICENCES_NOT_IN_METADATA = {
    "axe-playwright-python": "MIT",
    "skops": "MIT",
    "pytest-timeout": "MIT",
}
"""Licences of packages whose metadata lack it, from their repositories."""


def packages(lock: str) -> list[str]:
    return LOCKED.findall((ROOT / lock).read_text())


def licence(package: str) -> str:
    """The licence in the metadata: the expression, the classifiers, or the first line of the text."""
    package_metadata = metadata(package)
    classified = [
        classifier.rpartition("::")[2].strip()
        for classifier in package_metadata.get_all("Classifier", [])
        if classifier.startswith("Lic")
    ]
    sources = [
        package_metadata.get("License-Expression"),
        *classified,
        *(package_metadata.get("License") or "").splitlines()[:1],
    ]
    return LICENCES_NOT_IN_METADATA.get(package) or "; ".join(filter(None, sources))


def exceptions() -> set[str]:
    """Packages in CONTRIBUTING's table of licences."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| package | licence |")[2]
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_dependency_may_be_passed_on_or_is_named_as_one_that_may_not(
    lock: str,
) -> None:
    strange = {}
    for package in packages(lock):
        try:
            said = licence(package)
        except PackageNotFoundError:  # for another Python or system than this one
            continue
        if not ALLOWED.search(said) or LEFT_OUT.search(said):
            strange[package] = said
    assert set(strange) <= exceptions(), strange


def test_no_exception_is_named_that_is_none() -> None:
    assert exceptions() <= set(packages("requirements.lock"))
    assert not any(ALLOWED.search(licence(each)) for each in exceptions())
