"""A writer killed at any moment leaves whole objects only."""

import hashlib
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.objects import ObjectMissing, ObjectStore
from shared.objects.directory import PARTIAL, DirectoryStore

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
    given = False
    def read(self, size):
        if self.given:
            print("halfway", flush=True)
            sys.stdin.read()
        self.given = True
        return b"x" * (size // 2)

DirectoryStore(Path(sys.argv[1])).write("key", Halfway(), 2 << 20)
"""


@contextmanager
def writer(program, root):
    """The program as a process of its own, killed -9 at the end."""
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


def test_after_kills_at_random_moments_every_visible_object_is_whole(tmp_path):
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
    assert list((tmp_path / PARTIAL).iterdir()) == []


def test_a_living_writers_file_is_left_alone_and_a_dead_ones_swept(tmp_path):
    partial = tmp_path / PARTIAL
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
