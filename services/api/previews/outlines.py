"""Answers what SERA would read of a kept preview. A worker draws the outlines; a repeated request
finds them.
"""

from functools import partial
from uuid import UUID

from services.api.jobs.long_poll import LongPoll
from services.api.previews.schemas import OutlinesView, OutlineView
from shared.cases.admission import LimitReached
from shared.errors import Conflict, NotFound
from shared.imaging import Prompt
from shared.ledger import HospitalSession
from shared.ledger.previews.outline_queue import NO_LIVE_MODEL, NO_OUTLINE_NETWORK
from shared.ledger.previews.repository import PreviewOutlines, PromptText
from shared.queueing import Notifier
from shared.queueing.app import Tasks

RETRY_LATER = {"Retry-After": "1"}
MAX_ROI_LENGTH = 16_000
"""Characters of an ROI in an address: a polygon of about a thousand points."""
MAX_OF_PREVIEW = 40
MAX_WAITING = 10
"""Outlines of one preview, and of all previews of a hospital that wait for a worker.

Our own choice, without a source: a reader asks for a few, one after another.
"""


class NoOutlineNetwork(Conflict):
    code = NO_OUTLINE_NETWORK
    text = (
        "The live model has no outline network: it reads what you mark, or the whole image. Draw "
        "a box around the nodule."
    )


class NoLiveModel(Conflict):
    code = NO_LIVE_MODEL
    text = (
        "No model is live, so nothing can be outlined. An operator has to promote one."
    )


class OutlineFailed(Conflict):
    code = "outline-failed"
    text = (
        "The nodule could not be outlined ({reason}). Draw a box around it; the case can be sent "
        "all the same."
    )


class OutlinesFull(LimitReached):
    code = "outlines-full"
    text = (
        "At most {waiting} outlines of a hospital wait at a time, and a preview has {limit} at "
        "most. Try again in {retry_after_s} s, or send the case without."
    )


class OutlineService:
    def __init__(
        self, session: HospitalSession, notifier: Notifier, long_poll: LongPoll
    ) -> None:
        self._session = session
        self._notifier = notifier
        self._long_poll = long_poll

    async def wait(
        self, preview_id: UUID, prompt: Prompt | None, wait_s: float
    ) -> OutlinesView | None:
        """Return what `find` returns as soon as that is not None, but at the latest after `wait_s`.

        Raises TooManyWaits.
        """
        return await self._long_poll.read(
            preview_id,
            partial(self.find, preview_id, prompt),
            is_final=lambda outlines: outlines is not None,
            wait_s=wait_s,
        )

    def find(self, preview_id: UUID, prompt: Prompt | None) -> OutlinesView | None:
        """Return the outlines, or None while a worker draws them.

        A worker is notified after the commit of the first request. Raises NotFound if there is no
        such preview or its time is over, NoOutlineNetwork, NoLiveModel, OutlineFailed,
        OutlinesFull.
        """
        previews = self._session.previews
        if not previews.is_kept(preview_id):
            raise NotFound(thing="preview")
        text = prompt.to_json() if prompt else None
        answer = previews.outlines(preview_id, text)
        if answer is None:
            self._request(preview_id, text)
            return None
        return _view(answer) if answer.is_made else None

    def _request(self, preview_id: UUID, prompt: PromptText | None) -> None:
        usage = self._session.previews.outline_usage(preview_id)
        if usage.of_preview >= MAX_OF_PREVIEW or usage.waiting >= MAX_WAITING:
            raise OutlinesFull(
                waiting=MAX_WAITING, limit=MAX_OF_PREVIEW, retry_after_s=1
            )
        self._session.previews.request_outlines(preview_id, prompt)
        self._session.transaction.on_commit(
            lambda: self._notifier.notify(Tasks.OUTLINE, preview_id)
        )


def _view(answer: PreviewOutlines) -> OutlinesView:
    """Raises NoOutlineNetwork, NoLiveModel, OutlineFailed."""
    if answer.reason == NO_OUTLINE_NETWORK:
        raise NoOutlineNetwork
    if answer.reason == NO_LIVE_MODEL:
        raise NoLiveModel
    if answer.reason:
        raise OutlineFailed(reason=answer.reason)
    return OutlinesView(
        outlines=[OutlineView(**vars(outline)) for outline in answer.outlines],
        source=answer.source,
        model=answer.model_digest,
    )
