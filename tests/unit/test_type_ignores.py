"""How often the type checker is told to look away, and that every time says why."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKED = ("shared", "services", "cli", "deploy")
MOST = 39
"""In the whole project; more would say that the types are wrong, not the libraries."""
IGNORED = re.compile(r"#\s*type:\s*ignore")
EXPLAINED = re.compile(r"# type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \S.{8,}")


def ignored_lines() -> dict[str, str]:
    """Every line with a `type: ignore`, by where it stands."""
    lines = {}
    for folder in CHECKED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(
                path.read_text(encoding="utf-8").splitlines(), start=1
            ):
                if IGNORED.search(line):
                    lines[f"{path.relative_to(ROOT)}:{number}"] = line
    return lines


def test_every_ignored_error_has_its_code_and_a_reason() -> None:
    unexplained = [
        at for at, line in ignored_lines().items() if not EXPLAINED.search(line)
    ]
    assert unexplained == []


def test_few_errors_are_ignored() -> None:
    assert len(ignored_lines()) <= MOST
