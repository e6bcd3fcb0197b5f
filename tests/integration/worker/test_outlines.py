"""The interactive lane: outlines of kept previews, on a real ledger, with a trained network."""

from datetime import timedelta
from hashlib import sha256

import numpy as np
import pytest

from services.worker.bundle_cache import BundleCache
from services.worker.inference.loop import InferenceService
from services.worker.inference.preparation import Preparation
from services.worker.live_model import LiveModel
from services.worker.outlines import OutlineService
from services.worker.retention import RetentionSweeper
from shared.cases.prepare import prepare
from shared.domain.jobs import JobState
from shared.domain.results.roi_source import RoiSource
from shared.imaging import Box, Roi
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.previews.outline_queue import MAX_ATTEMPTS
from shared.ledger.previews.repository import NewPreview
from shared.objects import ObjectMissing, ObjectsUnavailable
from shared.outlines.examples import draw_click
from shared.phantoms import draw
from shared.settings import Settings
from tests.integration.worker.conftest import LEASE, hospital
from tests.support.builders import Screen, encode, png

KEPT = timedelta(minutes=30)
BOX = '{"box":[30.0,30.0,60.0,60.0]}'
POLYGON = '{"polygon":[[30.0,34.0],[88.0,30.0],[92.0,70.0],[60.0,96.0]]}'
EXPIRE = "UPDATE previews SET expires_at = clock_timestamp() - interval '1 second'"
END_LEASES = (
    "UPDATE preview_outlines SET taken_until = clock_timestamp() - interval '1 second'"
)


@pytest.fixture
def live(ledger, objects, tmp_path):
    return LiveModel(ledger, BundleCache(ledger, objects, tmp_path / "cache"), "w1")


@pytest.fixture
def drawer(ledger, objects, live, decoders):
    return OutlineService(ledger=ledger, objects=objects, live=live, decoders=decoders)


@pytest.fixture
def keep(ledger, objects):
    """Keeps a preview of an image as the gateway does."""

    def keep(image=None, name="north"):
        data = png(3) if image is None else image
        preview = NewPreview(
            image_sha256=objects.put(data).sha256,
            image_bytes=len(data),
            image_format="png",
            width=128,
            height=128,
            frame=None,
            device=None,
            source="file",
            text_policy="warn",
            removed={},
            findings=[],
        )
        with ledger.system_session("test") as session:
            hospital_id = session.hospitals.ensure(name)
        with ledger.hospital_session(hospital_id, "test") as session:
            return session.previews.keep(preview, KEPT).id

    return keep


@pytest.fixture
def request_outlines(ledger):
    def request(preview_id, prompt=None, name="north"):
        with ledger.system_session("test") as session:
            hospital_id = session.hospitals.ensure(name)
        with ledger.hospital_session(hospital_id, "test") as session:
            session.previews.request_outlines(preview_id, prompt)

    return request


@pytest.fixture
def outlines_of(ledger):
    def read(preview_id, prompt=None):
        with ledger.hospital_session(hospital(ledger), "test") as session:
            return session.previews.outlines(preview_id, prompt)

    return read


def execute(ledger, statement):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_what_is_outlined_is_what_a_case_of_the_image_is_read_with(
    drawer, live, keep, request_outlines, outlines_of, promote_outlining
):
    digest = promote_outlining()
    framing = live.serving().bundle.framing
    preview = keep()
    for roi in (None, BOX, POLYGON):
        request_outlines(preview, roi)
        assert not outlines_of(preview, roi).is_made
        assert drawer.draw_next()
        answer = outlines_of(preview, roi)
        nodule = prepare(png(3), framing, roi=Roi.parse(roi) if roi else None)
        polygon = tuple(tuple(point) for point in answer.outlines[0].polygon)
        assert polygon == nodule.roi.polygon
        assert (answer.source, answer.model_digest) == (nodule.roi_source, digest)
    assert not drawer.draw_next()


def test_a_polygon_is_not_read_as_its_box(
    drawer, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    preview = keep()
    box = Roi(box=Roi.parse(POLYGON).real_box).to_json()
    for roi in (POLYGON, box):
        request_outlines(preview, roi)
    drawer.draw_all(lambda: None)
    of_polygon, of_box = (outlines_of(preview, roi).outlines for roi in (POLYGON, box))
    assert of_polygon[0].polygon != of_box[0].polygon


def test_a_click_is_answered_with_the_nodule_there_and_its_probability(
    drawer, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    phantom = draw(3, malignant=True, size_px=128)
    preview = keep(encode(phantom.pixels))
    click = draw_click(phantom.mask, np.random.default_rng(0))
    request_outlines(preview, click.to_json())
    drawer.draw_next()
    answer = outlines_of(preview, click.to_json())
    (outline,) = answer.outlines
    assert answer.source == RoiSource.READER
    assert 0.5 < outline.probability <= 1
    picture = Box(x=0, y=0, width=128, height=128)
    found = Roi.parse({"polygon": outline.polygon}).mask(picture)
    assert found[int(click.y), int(click.x)]


def test_a_click_outside_the_image_says_why(
    drawer, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    preview = keep()
    outside = '{"point":[400.0,3.0]}'
    request_outlines(preview, outside)
    drawer.draw_next()
    assert outlines_of(preview, outside).reason == "roi-outside-image"


def test_what_the_network_finds_has_a_probability_and_a_box_has_none(
    drawer, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    preview = keep()
    request_outlines(preview)
    request_outlines(preview, BOX)
    drawer.draw_all(lambda: None)
    assert all(0.5 < found.probability <= 1 for found in outlines_of(preview).outlines)
    (traced,) = outlines_of(preview, BOX).outlines
    assert traced.probability is None


def test_caliper_marks_are_outlined_between(
    drawer, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    preview = keep(encode(Screen().end(60, 150).end(220, 150).pixels))
    request_outlines(preview)
    drawer.draw_next()
    answer = outlines_of(preview)
    assert (answer.source, len(answer.outlines)) == (RoiSource.CALIPERS, 1)


def test_a_picture_without_a_nodule_has_no_outline(
    drawer, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining(finds_nothing=True)
    preview = keep()
    request_outlines(preview)
    drawer.draw_next()
    answer = outlines_of(preview)
    assert (answer.is_made, answer.reason, answer.outlines) == (True, None, ())


def test_a_model_without_an_outline_network_and_no_model_say_so(
    drawer, ledger, keep, request_outlines, outlines_of, promote
):
    preview = keep()
    request_outlines(preview)
    drawer.draw_next()
    assert outlines_of(preview).reason == "no-live-model"
    promote(0)
    request_outlines(preview, BOX)
    drawer.draw_next()
    assert outlines_of(preview, BOX).reason == "no-outline-network"


def test_an_image_that_is_gone_says_why(
    drawer, objects, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    preview = keep()
    request_outlines(preview)
    objects.delete(objects.put(png(3)).sha256)
    assert drawer.draw_next()
    assert outlines_of(preview).reason == "object-missing"


def test_a_box_outside_the_image_says_why(
    drawer, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    preview = keep()
    outside = '{"box":[100.0,100.0,60.0,60.0]}'
    request_outlines(preview, outside)
    drawer.draw_next()
    assert outlines_of(preview, outside).reason == "roi-outside-image"


def test_the_request_of_a_dead_worker_is_taken_by_another(
    drawer, ledger, keep, request_outlines, outlines_of, promote_outlining
):
    promote_outlining()
    preview = keep()
    request_outlines(preview)
    with ledger.system_session("dead") as session:
        assert session.outline_queue.claim_next().preview_id == preview
    assert not drawer.draw_next()
    execute(ledger, END_LEASES)
    assert drawer.draw_next()
    assert outlines_of(preview).reason is None


def test_a_request_that_ends_its_workers_is_given_up(
    drawer, ledger, keep, request_outlines, outlines_of
):
    preview = keep()
    request_outlines(preview)
    for _ in range(MAX_ATTEMPTS):
        with ledger.system_session("dead") as session:
            assert session.outline_queue.claim_next()
        assert not outlines_of(preview).is_made
        execute(ledger, END_LEASES)
    assert not drawer.draw_next()
    assert outlines_of(preview).reason == "worker-lost"


def test_without_the_object_store_a_request_waits_and_no_attempt_counts(
    drawer, ledger, keep, request_outlines, outlines_of, promote_outlining, monkeypatch
):
    promote_outlining()
    preview = keep()
    request_outlines(preview)
    drawer._live.serving()

    def unreachable(_sha256):
        raise ObjectsUnavailable(problem="away")

    with monkeypatch.context() as patch:
        patch.setattr(drawer._objects, "get", unreachable)
        for _ in range(MAX_ATTEMPTS + 1):
            assert not drawer.draw_next()
    assert drawer.draw_next()
    assert outlines_of(preview).reason is None


def test_hospitals_take_turns(drawer, ledger, keep, request_outlines):
    flooding = [keep(name="south") for _ in range(3)]
    for preview in flooding:
        request_outlines(preview, name="south")
    waiting = keep()
    request_outlines(waiting)
    with ledger.system_session("w") as session:
        claimed = [session.outline_queue.claim_next().preview_id for _ in range(4)]
    assert claimed == [flooding[0], waiting, flooding[1], flooding[2]]


def test_one_outline_is_drawn_before_each_batch(
    ledger,
    objects,
    live,
    decoders,
    drawer,
    send,
    find,
    keep,
    request_outlines,
    promote,
    tmp_path,
):
    """So neither cases nor outlines wait for more than one of the other."""
    promote(0)
    steps = []

    def draw_next():
        if drawer.draw_next():
            steps.append("outline")

    service = InferenceService(
        settings=Settings(home=tmp_path, worker_name="w1", max_images=1),
        ledger=ledger,
        live=live,
        preparation=Preparation(objects, decoders),
        heartbeat=NotingHeartbeat(lambda: steps.append("batch")),
        run_interactive_work=draw_next,
    )
    jobs = [send() for _ in range(3)]
    preview = keep()
    for roi in (None, BOX):
        request_outlines(preview, roi)
    service.work()
    assert steps == ["outline", "batch", "outline", "batch", "batch"]
    assert {find(job).state for job in jobs} == {JobState.DONE}


def test_cases_have_their_turn_after_each_outline(drawer, keep, request_outlines):
    preview = keep()
    for roi in (None, BOX):
        request_outlines(preview, roi)
    turns = []
    drawer.draw_all(lambda: turns.append("cases"))
    assert turns == ["cases", "cases"]


class NotingHeartbeat(Heartbeat):
    """Calls a function when a batch is released."""

    def __init__(self, note):
        super().__init__(lambda tokens: None, LEASE)
        self._note = note

    def release(self, token):
        super().release(token)
        self._note()


def test_an_expired_preview_is_no_more_drawn_and_goes_with_its_image(
    drawer, ledger, objects, keep, request_outlines, outlines_of
):
    preview = keep(png(8))
    request_outlines(preview)
    sweeper = RetentionSweeper(ledger, objects, default_days=None)
    sweeper.sweep()
    assert objects.get(objects.put(png(8)).sha256) == png(8)
    execute(ledger, EXPIRE)
    assert not drawer.draw_next()
    sweeper.sweep()
    assert outlines_of(preview) is None
    with pytest.raises(ObjectMissing):
        objects.get(sha256(png(8)).hexdigest())


def test_the_image_of_an_expired_preview_stays_for_its_case(
    ledger, objects, keep, send
):
    send(png(8))
    keep(png(8))
    execute(ledger, EXPIRE)
    RetentionSweeper(ledger, objects, default_days=None).sweep()
    assert objects.get(sha256(png(8)).hexdigest()) == png(8)
