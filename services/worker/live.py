"""The live model: loaded once, replaced in the background while the old one goes on serving."""

import threading
from concurrent.futures import ThreadPoolExecutor

from services.worker.shelf import Served, Shelf
from shared.errors import SeraError
from shared.ledger import Ledger
from shared.telemetry import log


class LiveModel:
    """Follows the promotions. A bundle that cannot be loaded or reproduced never replaces the one that serves."""

    def __init__(self, ledger: Ledger, shelf: Shelf) -> None:
        self._ledger, self._shelf = ledger, shelf
        self._served: Served | None = None
        self._refused: str | None = None
        self._loading = threading.Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="bundle-loader")

    def current(self) -> Served | None:
        """What serves now; None until a first model was promoted. A newly promoted one is loaded meanwhile."""
        wanted = self._wanted()
        if wanted and wanted not in (self._refused, self._served and self._served.digest):
            if self._served is None:
                self._load(wanted)
            elif not self._loading.locked():
                self._loader.submit(self._load, wanted)
        return self._served

    def _wanted(self) -> str | None:
        with self._ledger.whole("worker") as house:
            return house.models.live()

    def _load(self, digest: str) -> None:
        with self._loading:
            if self._served and self._served.digest == digest:
                return
            try:
                self._served, self._refused = self._shelf.take(digest), None
                log().info("model.swapped", digest=digest)
            except SeraError as error:
                self._refused = None if error.retryable else digest
                log().error("model.refused", digest=digest, code=error.code, problem=str(error))
