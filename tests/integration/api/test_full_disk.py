"""Full disks: a gateway whose process has a file size limit, and a database on a tiny disk."""

import resource
import shutil
import subprocess
from contextlib import contextmanager
from itertools import repeat

import httpx2
import numpy as np
import pytest
from sqlalchemy import text

from tests.support.builders import encode, form, png
from tests.support.gateway_process import gateway_of

LIMIT_BYTES = 4096
SPOOL_BYTES = 1 << 20
"""Starlette keeps this much of an upload in memory, and writes the rest to a temporary file."""


@pytest.fixture
def roomy(settings, make_key):
    """A gateway that takes images up to 4 MiB, and a client of the hospital `north`."""
    with gateway_of(settings) as gateway:
        headers = {"Authorization": f"Bearer {make_key()}"}
        with httpx2.Client(base_url=gateway.url, headers=headers, timeout=30) as north:
            yield gateway, north


@contextmanager
def full_disk(gateway):
    """Limit the size of the gateway's files.

    Writing then fails with EFBIG, which the gateway treats like a full disk."""
    original = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(
        gateway.process.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, original[1])
    )
    yield
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, original)


def noise(side):
    return encode(np.random.default_rng(0).integers(0, 255, (side, side)))


def check_full(answer):
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (
        507,
        "storage-full",
        True,
    )
    assert "Nothing was taken. An administrator has to free space" in problem["detail"]
    assert answer.headers["Retry-After"] == "30"


def test_a_case_on_a_full_disk_leaves_no_file_and_is_accepted_once_there_is_space(
    roomy,
):
    gateway, north = roomy
    gateway.log.write_text("x" * LIMIT_BYTES)  # the log cannot grow either
    small = noise(128)
    large = noise(1200)
    assert len(png()) > LIMIT_BYTES < len(small) < SPOOL_BYTES < len(large)
    with full_disk(gateway):
        for image in (small, large):
            check_full(
                north.post(
                    "/v1/cases",
                    **form(image),
                    headers={"Idempotency-Key": str(len(image))},
                )
            )
        assert north.get("/v1/jobs").json()["jobs"] == []
        assert north.get("/healthz").status_code == 200
    stored_files = [
        path for path in (gateway.folder / "objects").rglob("*") if path.is_file()
    ]
    assert (
        stored_files
        == [path for path in gateway.temporary.rglob("*") if path.is_file()]
        == []
    )
    for image in (small, large):
        answer = north.post(
            "/v1/cases", **form(image), headers={"Idempotency-Key": str(len(image))}
        )
        assert answer.status_code == 202, answer.text
    assert len(north.get("/v1/jobs").json()["jobs"]) == 2


@pytest.fixture
def tiny_disk(engines, tmp_path):
    """A folder of the database on a disk of 1 MiB."""
    location = engines.home.root / "tiny"
    location.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", location], capture_output=True
    ).returncode:
        location.rmdir()
        pytest.skip("needs the right to mount a disk of memory")
    shutil.chown(location, engines.home.database.stat().st_uid)
    yield location
    subprocess.run(["umount", "--lazy", location], check=True)
    location.rmdir()


def test_a_full_database_refuses_the_case_and_keeps_answering(
    tiny_disk, database_url, gateway, north, ledger
):
    create_tablespace = f"CREATE TABLESPACE tiny LOCATION '{tiny_disk}'"
    with ledger.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.execute(text(create_tablespace))
        connection.execute(text("ALTER TABLE cases SET TABLESPACE tiny"))
        (tiny_disk / "filler").write_bytes(b"x" * (tiny_disk.stat().st_blksize * 250))
        answers = (
            north.post("/v1/cases", **form(image, external_id="x" * 200))
            for image in repeat(png(), 200)
        )
        check_full(next(answer for answer in answers if answer.status_code != 202))
        jobs = len(north.get("/v1/jobs?limit=200").json()["jobs"])
        (tiny_disk / "filler").unlink()
        assert north.post("/v1/cases", **form()).status_code == 202
        assert len(north.get("/v1/jobs?limit=200").json()["jobs"]) == jobs + 1
        connection.execute(text("ALTER TABLE cases SET TABLESPACE pg_default"))
        connection.execute(text("DROP TABLESPACE tiny"))
