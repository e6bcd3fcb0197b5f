"""Lets a shadow candidate process the images for which the live model has produced results.

The live results and their jobs are never changed.
"""

from datetime import datetime

from services.worker import metrics
from services.worker.bundle_cache import BundleCache, ServedModel
from services.worker.inference.preparation import Preparation
from shared.cases.result import risk_at
from shared.domain.jobs import Reason
from shared.domain.messages import Message
from shared.domain.results.prediction import Prediction
from shared.engines import limit_threads
from shared.errors import SeraError, Unavailable
from shared.imaging import Nodule
from shared.imaging.sandbox.pool import SandboxPool
from shared.ledger import Ledger
from shared.ledger.models.shadows import LiveResult, Shadow, ShadowResult
from shared.objects import open_store
from shared.observability.logs import log
from shared.settings import Settings

ACTOR = "shadow"


def open_shadow_service(
    settings: Settings, ledger: Ledger, decoders: SandboxPool, shadow: Shadow
) -> "ShadowService":
    """Open a service for this shadow, on one core."""
    limit_threads(1)
    objects = open_store(settings.objects)
    folder = settings.home / "cache" / "bundles"
    return ShadowService(
        ledger=ledger,
        bundle_cache=BundleCache(ledger, objects, folder),
        preparation=Preparation(objects, decoders, threads=1),
        shadow=shadow,
        max_results=settings.shadow_batch,
    )


class ShadowService:
    def __init__(
        self,
        ledger: Ledger,
        bundle_cache: BundleCache,
        preparation: Preparation,
        shadow: Shadow,
        max_results: int,
    ) -> None:
        self._ledger = ledger
        self._bundle_cache = bundle_cache
        self._preparation = preparation
        self.shadow = shadow
        self._max_results = max_results
        self._model: ServedModel | None = None
        self._newest_read: datetime | None = None

    def read_next(self) -> bool:
        """Process the next results. Returns False if none waits, or if nothing can be done now.

        The transaction locks the results' rows meanwhile. So another shadow process claims other
        results, and a killed process leaves no locks.
        """
        model = self._load_model()
        if model is None:
            return False
        with self._ledger.system_session(ACTOR) as session:
            live_results = session.shadows.claim(
                self.shadow, self._max_results, self._newest_read
            )
            shadow_results = self._read(model, live_results)
            written = session.shadows.record(self.shadow, shadow_results)
        if not shadow_results:
            return False
        self._newest_read = max(
            live_result.made_at for live_result, _ in shadow_results
        )
        metrics.SHADOWED.inc(written)
        log().info("shadow.read", shadow=str(self.shadow.id), results=written)
        return True

    def _load_model(self) -> ServedModel | None:
        """Load the candidate. A bundle that fails its verification ends the shadow."""
        if self._model is None:
            try:
                self._model = self._bundle_cache.load(self.shadow.model_digest)
            except Unavailable as error:
                log().warning("shadow.waits", problem=str(error))
            except SeraError as error:
                self._end(error.message)
            except Exception as error:  # noqa: BLE001 (whatever the bundle breaks, the shadow ends)
                log().error("shadow.broke", exc_info=error)
                self._end(Message(Reason.INTERNAL, {"process": ACTOR}))
        return self._model

    def _end(self, reason: Message) -> None:
        with self._ledger.system_session(ACTOR) as session:
            session.shadows.end_for_model(self.shadow.model_digest, reason)

    def _read(
        self, model: ServedModel, live_results: list[LiveResult]
    ) -> list[tuple[LiveResult, ShadowResult]]:
        """Return the candidate's results. An image is left for later if an engine was
        unavailable.
        """
        readable_results: list[LiveResult] = []
        nodules: list[Nodule | SeraError] = []
        for live_result in live_results:
            nodule = self._nodule(live_result, model)
            if not isinstance(nodule, Unavailable):
                readable_results.append(live_result)
                nodules.append(nodule)
        outcomes = self._predict(model, nodules)
        return [
            (live_result, shadow_result(live_result, outcome, model))
            for live_result, outcome in zip(readable_results, outcomes, strict=True)
        ]

    def _nodule(
        self, live_result: LiveResult, model: ServedModel
    ) -> Nodule | SeraError:
        try:
            return self._preparation.nodule(
                image_sha256=live_result.image_sha256,
                roi=live_result.roi,
                frame=live_result.frame,
                framing=model.bundle.framing,
            )
        except SeraError as error:
            return error
        except Exception as error:  # noqa: BLE001 (a bad image must not fail the others)
            log().error(
                "shadow.image-broke", job=str(live_result.job_id), exc_info=error
            )
            return SeraError()

    def _predict(
        self, model: ServedModel, nodules: list[Nodule | SeraError]
    ) -> list[Prediction | SeraError]:
        """Predict the whole batch at once, and one by one if that breaks.

        An error in the place of a nodule stays in its place.
        """
        readable = [nodule for nodule in nodules if not isinstance(nodule, SeraError)]
        try:
            predictions = iter(model.bundle.predict_each(readable) if readable else ())
        except Exception as error:  # noqa: BLE001 (the culprit is found one by one)
            if len(nodules) == 1:
                log().error("shadow.image-broke", exc_info=error)
                return [SeraError()]
            return [self._predict(model, [nodule])[0] for nodule in nodules]
        outcomes: list[Prediction | SeraError] = []
        for nodule in nodules:
            if isinstance(nodule, SeraError):
                outcomes.append(nodule)
            else:
                outcomes.append(next(predictions))
        return outcomes


def shadow_result(
    live_result: LiveResult, outcome: Prediction | SeraError, model: ServedModel
) -> ShadowResult:
    """Return the shadow's result, with its risk at the prevalence of the live model's result."""
    if isinstance(outcome, SeraError):
        return ShadowResult(reason=outcome.code)
    risk = risk_at(
        live_result.prevalence, risk=outcome.risk, trained_at=model.bundle.prevalence
    )
    return ShadowResult(score=outcome.score, risk=risk, decision=outcome.decision)
