"""The services start fast because they import some libraries only when they need them.

The contracts of import-linter cover libraries for models.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("service", "unused"),
    [
        ("api", {"fpdf", "minio", "scipy.spatial", "scipy.stats"}),
        ("beat", {"numpy", "sqlalchemy"}),
    ],
)
def test_a_service_starts_without_what_it_may_never_need(
    service: str, unused: set[str]
) -> None:
    script = f"import sys, services.{service}.__main__\nprint(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not unused & set(ran.stdout.split())
