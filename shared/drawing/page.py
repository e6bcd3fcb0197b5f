"""The style sheet of pages that stand alone."""

from pathlib import Path


def css() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")
