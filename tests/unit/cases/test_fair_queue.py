"""Threads of hospitals that wait for a place."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest

from shared.cases.fair_queue import FairQueue, QueueBusy

LONG_S = 30.0


@pytest.fixture
def threads():
    with ThreadPoolExecutor(16) as pool:
        yield pool


class Worker:
    """Holds a place until it is told to go on, and notes when it got its place."""

    def __init__(self, queue, owner, order):
        self._queue = queue
        self._owner = owner
        self._order = order
        self.has_place = Event()
        self.may_end = Event()

    def __call__(self):
        with self._queue.place(self._owner, LONG_S):
            self._order.append(self._owner)
            self.has_place.set()
            assert self.may_end.wait(LONG_S)


def wait_until_waiting(queue, owner, count):
    while queue.count_waiting(owner) < count:
        Event().wait(0.001)


def start(threads, queue, owner, order):
    worker = Worker(queue, owner, order)
    return worker, threads.submit(worker)


def test_a_free_place_goes_to_the_hospital_whose_turn_it_is(threads):
    queue = FairQueue(places=1, max_held=1, max_waiting=10)
    order = []
    first, first_future = start(threads, queue, "north", order)
    assert first.has_place.wait(LONG_S)
    waiting = []
    for owner, count in (("north", 1), ("north", 2), ("south", 1), ("west", 1)):
        waiting.append(start(threads, queue, owner, order))
        wait_until_waiting(queue, owner, count)
    for worker, _ in waiting:
        worker.may_end.set()
    first.may_end.set()
    first_future.result(LONG_S)
    for _, future in waiting:
        future.result(LONG_S)
    assert order == ["north", "north", "south", "west", "north"]


def test_a_hospital_never_holds_every_place():
    queue = FairQueue(places=2, max_held=1, max_waiting=10)
    with ExitStack() as held:
        held.enter_context(queue.place("north", 0.0))
        with pytest.raises(QueueBusy):
            held.enter_context(queue.place("north", 0.01))
        held.enter_context(queue.place("south", 0.0))
        with pytest.raises(QueueBusy):
            held.enter_context(queue.place("west", 0.01))
    with queue.place("north", 0.0), queue.place("west", 0.0):
        pass


def test_too_many_waiting_threads_of_a_hospital_are_refused_at_once(threads):
    queue = FairQueue(places=2, max_held=1, max_waiting=1)
    order = []
    holder, holder_future = start(threads, queue, "north", order)
    assert holder.has_place.wait(LONG_S)
    waiter, waiter_future = start(threads, queue, "north", order)
    wait_until_waiting(queue, "north", 1)
    with pytest.raises(QueueBusy), queue.place("north", LONG_S):
        pass
    with queue.place("south", 0.0):
        pass
    for worker in (holder, waiter):
        worker.may_end.set()
    holder_future.result(LONG_S)
    waiter_future.result(LONG_S)


def test_an_error_while_a_place_is_held_frees_it():
    queue = FairQueue(places=1, max_held=1, max_waiting=1)
    with pytest.raises(RuntimeError), queue.place("north", 0.0):
        raise RuntimeError
    with queue.place("north", 0.0):
        pass


def test_work_of_no_hospital_has_its_turn_like_a_hospitals():
    queue = FairQueue(places=2, max_held=1, max_waiting=1)
    with queue.place(None, 0.0), queue.place("north", 0.0):
        pass
