"""Swapping models while cases are answered, and bundles that fail their verification."""

import json
import pickle
import shutil
import threading
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import skops.io
import torch

from services.worker import live_model as live_module
from services.worker.bundle_cache import BundleCache, SpareSlotTaken
from services.worker.live_model import Follower, LiveModel, lower_thread_priority
from services.worker.presence import Presence
from shared.bundles.storage import publish
from shared.domain.audit.events import Event
from shared.errors import Unavailable

REASON = "requested by a test"
SVM = "classifiers/0-svm.skops"
MAX_CASES = 300
PRESENCE_TIMEOUT = timedelta(hours=1)


@pytest.fixture
def spoil(bundles, objects, ledger, tmp_path):
    """Publishes a spoiled copy of a bundle and makes it live; returns its digest."""

    def spoil(change):
        folder = shutil.copytree(next(iter(bundles.values())), tmp_path / "spoiled")
        change(folder)
        digest = publish(folder, objects)
        with ledger.system_session("test") as session:
            session.models.store(
                digest=digest,
                name="spoiled",
                recipe="small",
                run_id=None,
                synthetic=False,
                metrics={},
            )
            session.models.promote(digest, "test", REASON)
        return digest

    return spoil


@pytest.fixture
def serving(ledger):
    """Reads what the worker reported about itself."""

    def read():
        with ledger.system_session("test") as session:
            (worker,) = session.serving.present_workers(PRESENCE_TIMEOUT)
        return worker

    return read


def test_a_worker_reports_its_device_and_its_last_claim(
    ledger, objects, tmp_path, serving
):
    presence = Presence("CPU, 2 threads")
    cache = BundleCache(ledger, objects, tmp_path / "cache")
    LiveModel(ledger, cache, "w1", presence=presence).refresh()
    assert (serving().device, serving().claimed_at) == ("CPU, 2 threads", None)
    presence.record_claim()
    LiveModel(ledger, cache, "w1", presence=presence).refresh()
    since_claim = serving().seen_at - serving().claimed_at
    assert timedelta() <= since_claim < timedelta(minutes=1)


@pytest.fixture
def answer(service, send, find):
    """Has one case answered; returns the digest of the model that answered it."""

    def answer():
        job = send()
        service.work()
        return find(job).result.model.digest

    return answer


def work_until(condition, work):
    """Works until the condition holds."""
    for _ in range(MAX_CASES):
        work()
        if condition():
            return
    raise AssertionError(f"the condition did not hold within {MAX_CASES} cases")


def rewrite(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def replace(path, content):
    """Makes a change of a file and of its hash in the manifest.

    Somebody with access to the store could make both.
    """

    def change(folder):
        (folder / path).write_bytes(content)
        files = json.loads((folder / "manifest.json").read_bytes())["files"]
        files[path] = {"sha256": sha256(content).hexdigest(), "size": len(content)}
        rewrite(folder, files=files)

    return change


def change_golden_scores(folder):
    golden = json.loads((folder / "manifest.json").read_bytes())["golden"]
    golden["scores"] = [score + 0.1 for score in golden["scores"]]
    rewrite(folder, golden=golden)


SPOILED_BUNDLES = {
    "untrusted-type": replace(SVM, skops.io.dumps(np.random.default_rng(0))),
    "bundle-unreadable": replace(SVM, pickle.dumps({"a": 1})),
    "bundle-not-reproduced": change_golden_scores,
    "recipe-invalid": lambda folder: rewrite(folder, recipe={"name": "small"}),
}


@pytest.mark.parametrize("code", SPOILED_BUNDLES)
def test_a_spoiled_bundle_is_refused_and_the_old_one_goes_on(
    code, answer, promote, spoil, serving, ledger
):
    good = promote(0)
    assert answer() == good
    bad = spoil(SPOILED_BUNDLES[code])
    answers = []
    work_until(lambda: serving().refusal, lambda: answers.append(answer()))
    assert set(answers) | {answer()} == {good}
    worker = serving()
    assert worker.model_digest == good
    assert worker.refusal.digest == bad
    assert worker.refusal.reason.code == code
    assert len(str(worker.refusal.reason)) > 20
    with ledger.system_session("test") as session:
        refusals = [
            event.details
            for event in session.audit.page(limit=1000)
            if event.event == Event.MODEL_REFUSED
        ]
    assert refusals == [{"worker": "w1", "model": bad, "code": code}]


def test_a_file_tampered_with_in_the_store_is_refused(
    answer, promote, bundles, serving, tmp_path
):
    good = promote(0)
    second = list(bundles)[1]
    assert answer() == good
    promote(1)
    (manifest,) = (tmp_path / "objects").rglob(second)
    manifest.chmod(0o644)
    manifest.write_bytes(manifest.read_bytes() + b" ")
    work_until(lambda: serving().refusal, answer)
    assert (serving().model_digest, serving().refusal.reason.code) == (
        good,
        "object-corrupt",
    )


def test_a_file_tampered_with_on_the_workers_disk_is_refused_and_then_fetched_again(
    ledger, objects, promote, tmp_path, monkeypatch
):
    digest = promote(0)
    folder = tmp_path / "cache"
    first = LiveModel(ledger, BundleCache(ledger, objects, folder), "w1")
    assert first.refresh().digest == digest
    path = next(folder.rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(live_module, "RETRY_AFTER_S", 0)
    second = LiveModel(ledger, BundleCache(ledger, objects, folder), "w1")
    assert second.refresh() is None
    with ledger.system_session("test") as session:
        (worker,) = session.serving.present_workers(PRESENCE_TIMEOUT)
    assert (worker.model_digest, worker.refusal.reason.code) == (
        None,
        "bundle-tampered",
    )
    assert second.refresh().digest == digest


def test_a_worker_that_starts_with_a_broken_live_model_serves_its_predecessor(
    ledger, objects, promote, spoil, tmp_path
):
    good = promote(0)
    bad = spoil(change_golden_scores)
    restarted = LiveModel(
        ledger, BundleCache(ledger, objects, tmp_path / "cache"), "w2"
    )
    assert restarted.refresh().digest == good
    with ledger.system_session("test") as session:
        (worker,) = session.serving.present_workers(PRESENCE_TIMEOUT)
    assert (worker.model_digest, worker.refusal.digest) == (good, bad)


def test_a_store_that_is_away_when_the_predecessor_is_needed_is_tried_again(
    ledger, objects, promote, spoil, tmp_path, monkeypatch
):
    good = promote(0)
    bad = spoil(change_golden_scores)
    restarted = LiveModel(
        ledger, BundleCache(ledger, objects, tmp_path / "cache"), "w2"
    )
    load = BundleCache.load

    def fail_for_good(self, digest):
        if digest == good:
            raise Unavailable(service="The object store")
        return load(self, digest)

    with monkeypatch.context() as patched:
        patched.setattr(BundleCache, "load", fail_for_good)
        assert restarted.refresh() is None
    assert restarted.refresh().digest == good
    with ledger.system_session("test") as session:
        (worker,) = session.serving.present_workers(PRESENCE_TIMEOUT)
    assert worker.refusal.digest == bad


def test_a_rollback_forgets_a_refusal_and_a_new_promotion_tries_again(
    answer, promote, spoil, serving, ledger
):
    good = promote(0)
    answer()
    bad = spoil(change_golden_scores)
    work_until(lambda: serving().refusal, answer)
    with ledger.system_session("test") as session:
        assert session.models.rollback("test", None) == good
    answer()
    assert serving().refusal is None
    with ledger.system_session("test") as session:
        session.models.promote(bad, "test", REASON)
    work_until(lambda: serving().refusal, answer)
    with ledger.system_session("test") as session:
        events = [event.event for event in session.audit.page(limit=1000)]
    assert events.count(Event.MODEL_REFUSED) == 2


def test_a_model_that_was_rolled_back_while_it_was_loaded_never_serves(
    answer, promote, ledger, serving, monkeypatch
):
    old = promote(0)
    answer()
    is_loading = threading.Event()
    may_continue = threading.Event()
    load = BundleCache.load

    def load_slowly(self, digest):
        is_loading.set()
        assert may_continue.wait(60)
        return load(self, digest)

    monkeypatch.setattr(BundleCache, "load", load_slowly)
    promote(1)
    assert answer() == old
    assert is_loading.wait(60)
    with ledger.system_session("test") as session:
        session.models.rollback("test", None)
    may_continue.set()
    assert {answer() for _ in range(20)} == {old}
    assert serving().model_digest == old


def test_cases_are_answered_while_a_model_is_loaded(answer, promote, monkeypatch):
    old = promote(0)
    answer()
    may_continue = threading.Event()
    load = BundleCache.load

    def load_slowly(self, digest):
        may_continue.wait(60)
        return load(self, digest)

    monkeypatch.setattr(BundleCache, "load", load_slowly)
    new = promote(1)
    assert {answer() for _ in range(5)} == {old}
    may_continue.set()
    answers = []
    work_until(lambda: answers[-1:] == [new], lambda: answers.append(answer()))


def test_each_swap_is_reported_and_audited_once(answer, promote, serving, ledger):
    old = promote(0)
    answer()
    new = promote(1)
    work_until(lambda: serving().model_digest == new, answer)
    answer()
    with ledger.system_session("test") as session:
        swaps = [
            event.details
            for event in session.audit.page(limit=1000)
            if event.event == Event.MODEL_SWAPPED
        ]
    assert [(swap["before"], swap["model"]) for swap in swaps] == [
        (None, old),
        (old, new),
    ]


def test_a_store_that_is_away_refuses_nothing(answer, promote, serving, monkeypatch):
    old = promote(0)
    answer()
    new = promote(1)

    def fail(*_):
        raise Unavailable(service="The object store")

    with monkeypatch.context() as patched:
        patched.setattr("services.worker.bundle_cache.fetch", fail)
        assert {answer() for _ in range(3)} == {old}
        assert serving().refusal is None
    work_until(lambda: serving().model_digest == new, answer)


def test_an_idle_worker_follows_too(ledger, objects, promote, tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "FOLLOW_S", 0.01)
    promote(0)
    live = LiveModel(ledger, BundleCache(ledger, objects, tmp_path / "cache"), "w1")
    live.refresh()
    follower = Follower(live)
    swapped = threading.Event()
    follower.start()
    new = promote(1)
    for _ in range(3000):
        if live.follow(None).digest == new or swapped.wait(0.01):
            break
    follower.stop()
    assert live.follow(None).digest == new


def test_only_one_bundle_besides_the_live_one_is_in_memory(ledger, objects, tmp_path):
    cache = BundleCache(ledger, objects, tmp_path / "cache")
    with (
        cache.reserve_spare_slot(wait=True),
        pytest.raises(SpareSlotTaken),
        cache.reserve_spare_slot(wait=False),
    ):
        pass
    with cache.reserve_spare_slot(wait=False):
        pass


def test_the_loading_thread_lowers_its_priority_and_leaves_the_others_alone():
    usual_threads = torch.get_num_threads()
    readings = []

    def lower_and_read():
        lower_thread_priority()
        readings.append(torch.get_num_threads())
        readings.append(niceness())

    thread = threading.Thread(target=lower_and_read)
    thread.start()
    thread.join()
    assert readings == [1, live_module.NICENESS]
    assert torch.get_num_threads() == usual_threads
    torch.set_num_threads(usual_threads)


def niceness() -> int:
    """The nice value of the calling thread, which Linux treats as a process of its own."""
    stat = Path(f"/proc/self/task/{threading.get_native_id()}/stat").read_text()
    fields_after_name = stat.rpartition(")")[2].split()
    return int(fields_after_name[16])
