"""Documents, comments and docstrings name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_FOLDERS = (
    "cli",
    "deploy",
    "docs",
    "services",
    "shared",
    "tests",
    "tools",
    "trials",
)
PATH_IN_BACKTICKS = re.compile(rf"`((?:{'|'.join(TOP_FOLDERS)})/[\w./-]*)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
RECORDS_OF_THE_PAST = ("CHANGELOG.md",)


def documents(*suffixes: str) -> list[Path]:
    folders = [ROOT / name for name in TOP_FOLDERS]
    nested = [file for folder in folders for file in folder.rglob("*")]
    files = [file for file in [*ROOT.glob("*"), *nested] if file.suffix in suffixes]
    return sorted(
        file
        for file in files
        if file.is_file()
        and "node_modules" not in file.parts
        and file.name not in RECORDS_OF_THE_PAST
        and file != Path(__file__)
    )


def is_placeholder(path: str) -> bool:
    """`docs/NAME.md` stands for any name."""
    return any(part.isupper() for part in re.split(r"[./_-]", path) if len(part) > 2)


def test_paths_in_backticks_exist():
    missing = [
        f"{file.relative_to(ROOT)}: {path}"
        for file in documents(".md", ".py", ".toml", ".yml", ".yaml", ".js")
        for path in PATH_IN_BACKTICKS.findall(file.read_text())
        if not is_placeholder(path) and not (ROOT / path).exists()
    ]
    assert missing == []


@pytest.mark.parametrize(
    "document", documents(".md"), ids=lambda file: str(file.relative_to(ROOT))
)
def test_links_between_documents_lead_somewhere(document):
    missing = [
        target
        for target in LINK.findall(document.read_text())
        if not (document.parent / target).exists()
    ]
    assert missing == []
