"""The installed packages of the lock files have licences that CONTRIBUTING.md allows."""

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tools.sbom import NVIDIA_TERMS, licence, locked_packages

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = re.compile(
    r"apache|\bMIT|\bBSD|\b0BSD|\bISC\b|\bPSF|python software foundation|mozilla"
    r"|\bMPL|lesser|\bLGPL",
    re.I,
)
LEFT_OUT = re.compile(r"affero|\bAGPL|\bSSPL|non.?commercial", re.I)
"""Never, whatever else a licence says."""


def exceptions() -> set[str]:
    """Packages in CONTRIBUTING's table of licences."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| package | licence |")[2]
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


def is_allowed(package: str) -> bool:
    try:
        text = licence(package)
    except PackageNotFoundError:  # for another Python or system than this one
        return True
    return bool(ALLOWED.search(text)) and not LEFT_OUT.search(text)


@pytest.mark.parametrize("part", ["", "-cpu", "-dev"])
def test_every_dependency_may_be_passed_on(part: str) -> None:
    packages = locked_packages(f"requirements{part}.lock")
    assert {package for package in packages if not is_allowed(package)} == set()


def test_the_build_with_cuda_has_no_terms_but_those_that_are_named() -> None:
    packages = locked_packages("requirements-cuda.lock")
    others = {package for package in packages if not is_allowed(package)}
    assert others == {
        package for package in packages if licence(package) == NVIDIA_TERMS
    }
    assert exceptions() == {"nvidia-*", "cuda-toolkit"}
    assert all(package.startswith(("nvidia-", "cuda-toolkit")) for package in others)
