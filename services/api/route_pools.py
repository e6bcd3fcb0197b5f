"""Limits how many costly requests of each kind are worked on at a time, in turn between hospitals.

A route that needs much time, memory or processor holds a place of the pool of its kind from before
its work until its response is sent:

    @router.get("/cases.csv", dependencies=[hold_place(RoutePool.EXPORTS)])

A request that finds no place waits in the event loop. It holds no thread, no connection and no slot
meanwhile. If too many wait, or after a time, the answer is 503 with Retry-After. The work of a
client that has closed its connection is cancelled (`shared/cancellation.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from fastapi import Request, params
from prometheus_client import Counter, Gauge
from starlette.concurrency import run_in_threadpool

from services.api.middleware.transactions import Slot
from shared.cancellation import CURRENT_TOKEN, CancellationToken, Cancelled
from shared.cases.fair_queue import FairQueue, LoopTurn, QueueBusy
from shared.errors import Unavailable
from shared.ledger import Transaction
from shared.observability.metrics import REGISTRY

WAIT_S = 10.0
"""How long a request waits for a place."""
HOLD_S = 120.0
"""How long a request holds its place, at most. A client that reads its response slowly costs little
more then, and must not keep others out."""


class RoutePool(StrEnum):
    """The kinds of costly requests. Each has places of its own."""

    PREVIEWS = "previews"
    REPORTS = "reports"
    IMAGES = "images"
    EXPLANATIONS = "explanations"
    SIMILAR = "similar"
    VERIFICATION = "verification"
    EXPORTS = "exports"
    MONITORING = "monitoring"


@dataclass(frozen=True)
class PoolLimits:
    """`held` and `waiting` are the places and the waiting requests of one hospital.

    All callers that belong to no hospital count as one.
    """

    places: int = 2
    held: int = 1
    waiting: int = 8
    waiting_in_all: int = 32


LIMITS: Mapping[RoutePool, PoolLimits] = {
    RoutePool.PREVIEWS: PoolLimits(),
    RoutePool.REPORTS: PoolLimits(),
    RoutePool.IMAGES: PoolLimits(places=3, held=2, waiting=16, waiting_in_all=64),
    RoutePool.EXPLANATIONS: PoolLimits(waiting=16, waiting_in_all=64),
    RoutePool.SIMILAR: PoolLimits(waiting=16, waiting_in_all=64),
    RoutePool.VERIFICATION: PoolLimits(waiting=4, waiting_in_all=16),
    RoutePool.EXPORTS: PoolLimits(waiting=4, waiting_in_all=16),
    RoutePool.MONITORING: PoolLimits(places=3, held=2, waiting=16, waiting_in_all=64),
}
"""A hospital holds one of two places, or two of three where a page asks for several at once, so one
is left to other hospitals. More places would not answer sooner, because the work of all shares the
processors of one gateway. The places are 18 in all, of the 30 slots of a gateway (`services/api/middleware/transactions.py`)."""

WORKING = Gauge(
    "sera_route_pool_places_held",
    "Costly requests being worked on, by kind.",
    ["pool"],
    registry=REGISTRY,
)
WAITING = Gauge(
    "sera_route_pool_waiting",
    "Costly requests that wait for a place, by kind.",
    ["pool"],
    registry=REGISTRY,
)
ENDED = Counter(
    "sera_route_pool_requests_total",
    "Costly requests by kind and by what became of them: done, refused or abandoned.",
    ["pool", "outcome"],
    registry=REGISTRY,
)


class RouteBusy(Unavailable):
    code = "too-many-at-once"
    retry_after_s = 5
    text = (
        "Too many requests of this kind are being answered just now. "
        "Nothing was lost; try again in a few seconds."
    )


class _Place:
    """A place that is released once, by its request or because its time is over."""

    def __init__(self, queue: FairQueue, owner: Hashable) -> None:
        self._queue = queue
        self._owner = owner
        self._is_held = True

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            self._queue.release(self._owner)


class RoutePools:
    """The pools of one gateway."""

    def __init__(
        self,
        limits: Mapping[RoutePool, PoolLimits] = LIMITS,
        wait_s: float = WAIT_S,
        hold_s: float = HOLD_S,
    ) -> None:
        self._wait_s = wait_s
        self._hold_s = hold_s
        self.place_count = sum(pool.places for pool in limits.values())
        self._queues = {
            pool: FairQueue(
                places=pool_limits.places,
                max_held=pool_limits.held,
                max_waiting=pool_limits.waiting,
                max_waiting_in_all=pool_limits.waiting_in_all,
            )
            for pool, pool_limits in limits.items()
        }
        for pool, queue in self._queues.items():
            WORKING.labels(pool).set_function(queue.count_held)
            WAITING.labels(pool).set_function(queue.count_all_waiting)

    @asynccontextmanager
    async def place(
        self, pool: RoutePool, owner: Hashable, request: Request
    ) -> AsyncIterator[None]:
        """Hold a place for an owner's request, whose work ends early if its client goes.

        Raises RouteBusy, Cancelled.
        """
        token = CancellationToken()
        token_of_context = CURRENT_TOKEN.set(token)
        watcher = asyncio.create_task(_cancel_when_client_goes(request, token))
        outcome = "refused"
        try:
            await self._wait_for_place(self._queues[pool], owner, request, token)
            outcome = "done"
            place = _Place(self._queues[pool], owner)
            timer = asyncio.get_running_loop().call_later(self._hold_s, place.release)
            try:
                yield
            finally:
                timer.cancel()
                place.release()
        except Cancelled:
            outcome = "abandoned"
            raise
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
            CURRENT_TOKEN.reset(token_of_context)
            ENDED.labels(pool, outcome).inc()

    async def _wait_for_place(
        self,
        queue: FairQueue,
        owner: Hashable,
        request: Request,
        token: CancellationToken,
    ) -> None:
        """Raises RouteBusy, Cancelled, Unavailable."""
        turn = LoopTurn()
        try:
            queue.join(owner, turn)
        except QueueBusy:
            raise RouteBusy from None
        try:
            if not turn.is_set():
                async with _without_connection(request):
                    await self._wait_for_turn(turn, token)
            token.check()
        except BaseException:
            if queue.leave(owner, turn):
                queue.release(owner)
            raise

    async def _wait_for_turn(self, turn: LoopTurn, token: CancellationToken) -> None:
        """Raises RouteBusy, Cancelled."""
        loop = asyncio.get_running_loop()
        cancelled = asyncio.Event()
        waits = [
            asyncio.create_task(turn.wait()),
            asyncio.create_task(cancelled.wait()),
        ]
        with token.interrupting(partial(loop.call_soon_threadsafe, cancelled.set)):
            try:
                await asyncio.wait(
                    waits, timeout=self._wait_s, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for wait in waits:
                    wait.cancel()
        token.check()
        if not turn.is_set():
            raise RouteBusy


@asynccontextmanager
async def _without_connection(request: Request) -> AsyncIterator[None]:
    """End the request's transaction and release its slot meanwhile. Raises Unavailable."""
    transaction: Transaction = request.state.transaction
    slot: Slot = request.state.slot
    has_slot = slot.is_taken
    if transaction.is_open:
        await run_in_threadpool(transaction.commit)
    slot.release()
    yield
    if has_slot:
        await slot.take()


async def _cancel_when_client_goes(request: Request, token: CancellationToken) -> None:
    """Read messages after the body until the client closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    token.cancel()


@dataclass(frozen=True)
class HeldPlace:
    """A dependency that holds a place of the pool for the caller's hospital."""

    pool: RoutePool

    async def __call__(self, request: Request) -> AsyncIterator[None]:
        pools: RoutePools = request.app.state.dependencies.route_pools
        owner = request.state.caller.hospital_id
        async with pools.place(self.pool, owner, request):
            yield


def hold_place(pool: RoutePool) -> params.Depends:
    """What a costly route lists among its `dependencies`."""
    return params.Depends(HeldPlace(pool))
