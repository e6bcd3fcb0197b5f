"""Swapping models while cases are answered; bundles that do not prove themselves."""

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

REASON = "asked for by a test"
SVM = "classifiers/0-svm.skops"
PATIENCE = 300
LONG = timedelta(hours=1)


@pytest.fixture
def spoil(bundles, objects, ledger, tmp_path):
    """Publishes a spoilt copy of a bundle and makes it live; returns its digest."""

    def spoilt(change):
        folder = shutil.copytree(next(iter(bundles.values())), tmp_path / "spoilt")
        change(folder)
        digest = publish(folder, objects)
        with ledger.system_session("test") as house:
            house.models.store(digest, "spoilt", "small", None, False, {})
            house.models.promote(digest, "test", REASON)
        return digest

    return spoilt


@pytest.fixture
def serving(ledger):
    """What the worker told of itself."""

    def told():
        with ledger.system_session("test") as house:
            (worker,) = house.serving.present_workers(LONG)
        return worker

    return told


def test_a_worker_says_on_what_it_computes_and_when_it_last_claimed_cases(
    ledger, objects, tmp_path, serving
):
    presence = Presence("CPU, 2 threads")
    shelf = BundleCache(ledger, objects, tmp_path / "cache")
    LiveModel(ledger, shelf, "w1", presence=presence).refresh()
    assert (serving().device, serving().claimed_at) == ("CPU, 2 threads", None)
    presence.record_claim()
    LiveModel(ledger, shelf, "w1", presence=presence).refresh()
    assert (
        timedelta() <= serving().seen_at - serving().claimed_at < timedelta(minutes=1)
    )


@pytest.fixture
def answer(desk, send, find):
    """Has one case answered; the digest of the model that did."""

    def answered():
        job = send()
        desk.work()
        return find(job).result.model.digest

    return answered


def until(happened, work):
    """Goes on working until it has happened."""
    for _ in range(PATIENCE):
        work()
        if happened():
            return
    raise AssertionError(f"it did not happen within {PATIENCE} cases")


def rewrite(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def replace(path, content):
    """A change of a file and of its hash in the manifest, as someone would make who can do both."""

    def change(folder):
        (folder / path).write_bytes(content)
        files = json.loads((folder / "manifest.json").read_bytes())["files"]
        rewrite(
            folder,
            files=files
            | {path: {"sha256": sha256(content).hexdigest(), "size": len(content)}},
        )

    return change


def other_scores(folder):
    golden = json.loads((folder / "manifest.json").read_bytes())["golden"]
    rewrite(
        folder, golden=golden | {"scores": [score + 0.1 for score in golden["scores"]]}
    )


SPOILT = {
    "untrusted-type": replace(SVM, skops.io.dumps(np.random.default_rng(0))),
    "bundle-unreadable": replace(SVM, pickle.dumps({"a": 1})),
    "bundle-not-reproduced": other_scores,
    "recipe-invalid": lambda folder: rewrite(folder, recipe={"name": "small"}),
}


@pytest.mark.parametrize("code", SPOILT)
def test_a_bundle_that_is_not_what_it_should_be_is_refused_and_the_old_one_goes_on(
    code, answer, promote, spoil, serving, ledger
):
    good = promote(0)
    assert answer() == good
    bad = spoil(SPOILT[code])
    answers = []
    until(lambda: serving().refusal, lambda: answers.append(answer()))
    assert set(answers) | {answer()} == {good}
    told = serving()
    assert (told.model_digest, told.refusal.digest, told.refusal.reason.code) == (
        good,
        bad,
        code,
    )
    assert len(str(told.refusal.reason)) > 20
    with ledger.system_session("test") as house:
        refused = [
            each.details
            for each in house.audit.page(limit=1000)
            if each.event == Event.MODEL_REFUSED
        ]
    assert refused == [{"worker": "w1", "model": bad, "code": code}]


def test_a_file_tampered_with_in_the_store_is_refused(
    answer, promote, bundles, serving, tmp_path
):
    good = promote(0)
    other = list(bundles)[1]
    assert answer() == good
    promote(1)
    (manifest,) = (tmp_path / "objects").rglob(other)
    manifest.chmod(0o644)
    manifest.write_bytes(manifest.read_bytes() + b" ")
    until(lambda: serving().refusal, answer)
    assert (serving().model_digest, serving().refusal.reason.code) == (
        good,
        "object-corrupt",
    )


def test_a_file_tampered_with_on_the_workers_own_disk_is_refused_and_then_fetched_anew(
    ledger, objects, promote, tmp_path, monkeypatch
):
    digest = promote(0)
    shelf = tmp_path / "cache"
    first = LiveModel(ledger, BundleCache(ledger, objects, shelf), "w1")
    assert first.refresh().digest == digest
    path = next(shelf.rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(live_module, "RETRY_AFTER_S", 0)
    again = LiveModel(ledger, BundleCache(ledger, objects, shelf), "w1")
    assert again.refresh() is None
    with ledger.system_session("test") as house:
        (worker,) = house.serving.present_workers(LONG)
    assert (worker.model_digest, worker.refusal.reason.code) == (
        None,
        "bundle-tampered",
    )
    assert again.refresh().digest == digest


def test_a_worker_that_starts_with_a_broken_live_model_serves_the_one_before(
    ledger, objects, promote, spoil, tmp_path
):
    good = promote(0)
    bad = spoil(other_scores)
    fresh = LiveModel(ledger, BundleCache(ledger, objects, tmp_path / "cache"), "w2")
    assert fresh.refresh().digest == good
    with ledger.system_session("test") as house:
        (worker,) = house.serving.present_workers(LONG)
    assert (worker.model_digest, worker.refusal.digest) == (good, bad)


def test_a_store_that_is_away_when_the_one_before_is_needed_is_asked_again(
    ledger, objects, promote, spoil, tmp_path, monkeypatch
):
    good = promote(0)
    bad = spoil(other_scores)
    fresh = LiveModel(ledger, BundleCache(ledger, objects, tmp_path / "cache"), "w2")
    take = BundleCache.load

    def partly_away(self, digest):
        if digest == good:
            raise Unavailable(service="The object store")
        return take(self, digest)

    with monkeypatch.context() as patched:
        patched.setattr(BundleCache, "take", partly_away)
        assert fresh.refresh() is None
    assert fresh.refresh().digest == good
    with ledger.system_session("test") as house:
        (worker,) = house.serving.present_workers(LONG)
    assert worker.refusal.digest == bad


def test_what_was_refused_is_forgotten_after_a_rollback_and_tried_again_when_promoted_again(
    answer, promote, spoil, serving, ledger
):
    good = promote(0)
    answer()
    bad = spoil(other_scores)
    until(lambda: serving().refusal, answer)
    with ledger.system_session("test") as house:
        assert house.models.rollback("test", None) == good
    answer()
    assert serving().refusal is None
    with ledger.system_session("test") as house:
        house.models.promote(bad, "test", REASON)
    until(lambda: serving().refusal, answer)
    with ledger.system_session("test") as house:
        events = [each.event for each in house.audit.page(limit=1000)]
    assert events.count(Event.MODEL_REFUSED) == 2


def test_a_model_that_was_rolled_back_while_it_was_loaded_never_serves(
    answer, promote, ledger, serving, monkeypatch
):
    old = promote(0)
    answer()
    loading = threading.Event()
    go_on = threading.Event()
    take = BundleCache.load

    def slowly(self, digest):
        loading.set()
        assert go_on.wait(60)
        return take(self, digest)

    monkeypatch.setattr(BundleCache, "take", slowly)
    promote(1)
    assert answer() == old
    assert loading.wait(60)
    with ledger.system_session("test") as house:
        house.models.rollback("test", None)
    go_on.set()
    assert {answer() for _ in range(20)} == {old}
    assert serving().model_digest == old


def test_cases_are_answered_while_a_model_is_loaded(answer, promote, monkeypatch):
    old = promote(0)
    answer()
    go_on = threading.Event()
    take = BundleCache.load
    monkeypatch.setattr(
        BundleCache, "take", lambda self, digest: (go_on.wait(60), take(self, digest))[1]
    )
    new = promote(1)
    assert {answer() for _ in range(5)} == {old}
    go_on.set()
    answers = []
    until(lambda: answers[-1:] == [new], lambda: answers.append(answer()))


def test_each_swap_is_told_and_audited_once(answer, promote, serving, ledger):
    old = promote(0)
    answer()
    new = promote(1)
    until(lambda: serving().model_digest == new, answer)
    answer()
    with ledger.system_session("test") as house:
        swaps = [
            each.details
            for each in house.audit.page(limit=1000)
            if each.event == Event.MODEL_SWAPPED
        ]
    assert [(each["before"], each["model"]) for each in swaps] == [
        (None, old),
        (old, new),
    ]


def test_a_store_that_is_away_refuses_nothing(answer, promote, serving, monkeypatch):
    old = promote(0)
    answer()
    new = promote(1)

    def away(*_):
        raise Unavailable(service="The object store")

    with monkeypatch.context() as patched:
        patched.setattr("services.worker.bundle_cache.fetch", away)
        assert {answer() for _ in range(3)} == {old}
        assert serving().refusal is None
    until(lambda: serving().model_digest == new, answer)


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
        if live._served.digest == new or swapped.wait(0.01):
            break
    follower.stop()
    assert live._served.digest == new


def test_only_one_bundle_besides_the_live_one_is_in_memory(ledger, objects, tmp_path):
    shelf = BundleCache(ledger, objects, tmp_path / "cache")
    with (
        shelf.reserve_spare_slot(wait=True),
        pytest.raises(SpareSlotTaken),
        shelf.reserve_spare_slot(wait=False),
    ):
        pass
    with shelf.reserve_spare_slot(wait=False):
        pass


def test_the_loading_thread_gives_way_and_leaves_the_others_as_they_are():
    before = torch.get_num_threads()
    seen = []
    thread = threading.Thread(
        target=lambda: (
            lower_thread_priority(),
            seen.append(torch.get_num_threads()),
            seen.append(niceness()),
        )
    )
    thread.start()
    thread.join()
    assert seen == [1, live_module.NICENESS]
    assert torch.get_num_threads() == before
    torch.set_num_threads(before)


def niceness() -> int:
    """Of the calling thread, which is a process of its own to Linux."""
    return int(
        Path(f"/proc/self/task/{threading.get_native_id()}/stat")
        .read_text()
        .rpartition(")")[2]
        .split()[16]
    )
