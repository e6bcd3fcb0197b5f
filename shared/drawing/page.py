"""The style sheet of self-contained pages."""

from pathlib import Path


def css() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")
