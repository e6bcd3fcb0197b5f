"""A writer that is killed at any moment leaves only complete objects."""

import hashlib
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.objects import ObjectMissing, ObjectStore
from shared.objects.directory import PARTIAL_SUFFIX, DirectoryStore

ROOT = Path(__file__).parents[3]
KILLS = 10

BUSY_WRITER = """
import os, sys
from pathlib import Path
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore

objects = ObjectStore(DirectoryStore(Path(sys.argv[1])))
body = os.urandom(1 << 16) * 64
while True:
    print(objects.put(os.urandom(16) + body).sha256, flush=True)
"""

HALFWAY_WRITER = """
import sys
from pathlib import Path
from shared.objects.directory import DirectoryStore

class Halfway:
    has_given_half = False
    def read(self, size):
        if self.has_given_half:
            print("halfway", flush=True)
            sys.stdin.read()
        self.has_given_half = True
        return b"x" * (size // 2)

DirectoryStore(Path(sys.argv[1])).write("key", Halfway(), 2 << 20)
"""


@contextmanager
def writer(program, root):
    """Runs the program as a process and ends it with kill -9."""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(root)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def visible_digests(store):
    return [key.rpartition("/")[2] for key in store.keys("objects/")]


def test_after_kills_at_random_moments_every_visible_object_is_complete(tmp_path):
    moments = random.Random(20)
    acknowledged = set()
    for _ in range(KILLS):
        with writer(BUSY_WRITER, tmp_path) as process:
            acknowledged.add(process.stdout.readline().strip())
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            acknowledged.update(
                line.strip() for line in process.stdout if len(line.strip()) == 64
            )
    store = DirectoryStore(tmp_path)
    objects = ObjectStore(store)
    visible = visible_digests(store)
    assert acknowledged <= set(visible)
    assert len(acknowledged) >= KILLS
    for digest in visible:
        assert hashlib.sha256(objects.get(digest)).hexdigest() == digest
    assert list((tmp_path / PARTIAL_SUFFIX).iterdir()) == []


def test_the_partial_file_of_a_living_writer_stays_and_that_of_a_dead_one_is_removed(
    tmp_path,
):
    partial = tmp_path / PARTIAL_SUFFIX
    with writer(HALFWAY_WRITER, tmp_path) as process:
        assert process.stdout.readline() == "halfway\n"
        store = DirectoryStore(tmp_path)
        assert len(list(partial.iterdir())) == 1
        assert not store.exists("key")
    assert len(list(partial.iterdir())) == 1
    store = DirectoryStore(tmp_path)
    assert list(partial.iterdir()) == []
    with pytest.raises(ObjectMissing):
        store.read("key")
