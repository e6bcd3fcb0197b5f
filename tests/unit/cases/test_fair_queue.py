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


def fair_queue(**options):
    defaults = {"places": 1, "max_held": 1, "max_waiting": 10, "max_waiting_in_all": 99}
    return FairQueue(**(defaults | options))


def wait_until_waiting(queue, owner, count):
    while queue.count_waiting(owner) < count:
        Event().wait(0.001)


def start(threads, queue, owner, order):
    worker = Worker(queue, owner, order)
    return worker, threads.submit(worker)


def test_a_free_place_goes_to_the_hospital_whose_turn_it_is(threads):
    queue = fair_queue(places=1, max_held=1, max_waiting=10)
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
    queue = fair_queue(places=2, max_held=1, max_waiting=10)
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
    queue = fair_queue(places=2, max_held=1, max_waiting=1)
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
    queue = fair_queue(places=1, max_held=1, max_waiting=1)
    with pytest.raises(RuntimeError), queue.place("north", 0.0):
        raise RuntimeError
    with queue.place("north", 0.0):
        pass


@pytest.fixture
def order_of(threads):
    """The order in which threads of owners get the only place, by the order of their arrival."""

    def ordered(queue, owners, while_waiting=None):
        order = []
        waiting = []
        with queue.place("first", 0.0):
            for number, owner in enumerate(owners, start=1):
                waiting.append(start(threads, queue, owner, order))
                wait_until_waiting(queue, owner, owners[:number].count(owner))
            if while_waiting is not None:
                while_waiting()
        for worker, _ in waiting:
            worker.may_end.set()
        for _, future in waiting:
            future.result(LONG_S)
        return order

    return ordered


def test_work_of_no_hospital_has_its_turn_like_a_hospitals(order_of):
    order = order_of(fair_queue(), ["north", "north", None, None, "south"])
    assert order == ["north", None, "south", "north", None]


def test_a_thread_that_gives_up_does_not_cost_its_hospital_the_turn(order_of):
    queue = fair_queue()

    def give_up():
        with pytest.raises(QueueBusy), queue.place("north", 0.01):
            pass

    order = order_of(queue, ["north", "south", "west"], give_up)
    assert order == ["north", "south", "west"]


def test_hospitals_together_may_not_wait_with_more_threads_than_all_may(order_of):
    queue = fair_queue(max_waiting_in_all=3)

    def one_more():
        for owner in ("north", "south"):
            with pytest.raises(QueueBusy), queue.place(owner, LONG_S):
                pass

    assert order_of(queue, ["north", "north", "south"], one_more)


def test_a_hospital_of_which_no_thread_waits_is_not_shut_out_by_others(order_of):
    queue = fair_queue(max_waiting_in_all=3)
    order = order_of(queue, ["north", "north", "south", "west"])
    assert order == ["north", "south", "west", "north"]


def test_threads_of_an_unlimited_owner_are_never_too_many_and_do_not_count(order_of):
    queue = fair_queue(max_waiting=2, max_waiting_in_all=2, unlimited=(None,))
    order = order_of(queue, [None, None, None, None, "north", "north"])
    assert order == [None, "north", None, "north", None, None]
