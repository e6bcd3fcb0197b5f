"""What a candidate in the shadow says of results the live model has given. Results and jobs are never touched."""

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
from shared.ledger.models.shadows import ShadowResult, Shadow, LiveResult
from shared.objects import open_store
from shared.observability.logs import log
from shared.settings import Settings

ACTOR = "shadow"


def open_shadow_service(
    settings: Settings, ledger: Ledger, decoders: SandboxPool, shadow: Shadow
) -> "ShadowService":
    """A desk for this shadow, on one core."""
    limit_threads(1)
    objects = open_store(settings.objects)
    shelf = BundleCache(ledger, objects, settings.home / "cache" / "bundles")
    return ShadowService(
        ledger,
        shelf,
        Preparation(objects, decoders, threads=1),
        shadow,
        settings.shadow_batch,
    )


class ShadowService:
    def __init__(
        self,
        ledger: Ledger,
        bundle_cache: BundleCache,
        preparation: Preparation,
        shadow: Shadow,
        batch: int,
    ) -> None:
        self._ledger = ledger
        self._shelf = bundle_cache
        self._preparation = preparation
        self.shadow = shadow
        self._batch = batch
        self._served: ServedModel | None = None
        self._seen: datetime | None = None

    def read_next(self) -> bool:
        """Read the next results; False where none waits, or nothing can be done at present.

        The transaction holds the results' rows meanwhile, so that another shadow process takes others, and a process
        that is killed leaves nothing behind.
        """
        served = self._model()
        if served is None:
            return False
        with self._ledger.system_session(ACTOR) as session:
            watched = session.shadows.claim(self.shadow, self._batch, self._seen)
            said = self._read(served, watched)
            written = session.shadows.record(self.shadow, said)
        if said:
            self._seen = max(each.made_at for each, _ in said)
            metrics.SHADOWED.inc(written)
            log().info("shadow.read", shadow=str(self.shadow.id), results=written)
        return bool(said)

    def _model(self) -> ServedModel | None:
        """The candidate; a bundle that does not prove itself ends its shadow."""
        if self._served is None:
            try:
                self._served = self._shelf.load(self.shadow.model_digest)
            except Unavailable as away:
                log().warning("shadow.waits", problem=str(away))
            except SeraError as error:
                self._end(error.message)
            except Exception as error:  # noqa: BLE001 (whatever the bundle is, the shadow ends and says so)
                log().error("shadow.broke", exc_info=error)
                self._end(Message(Reason.INTERNAL, {"process": ACTOR}))
        return self._served

    def _end(self, reason: Message) -> None:
        with self._ledger.system_session(ACTOR) as session:
            session.shadows.end_for_model(self.shadow.model_digest, reason)

    def _read(
        self, served: ServedModel, watched: list[LiveResult]
    ) -> list[tuple[LiveResult, ShadowResult]]:
        """What it says of each; an image that an absent engine keeps from it is left for later."""
        nodules = [(each, self._nodule(each, served)) for each in watched]
        reached = [
            (each, nodule)
            for each, nodule in nodules
            if not isinstance(nodule, Unavailable)
        ]
        outcomes = self._predict(served, [nodule for _, nodule in reached])
        return [
            (each, shadow_result(each, outcome, served))
            for (each, _), outcome in zip(reached, outcomes, strict=True)
        ]

    def _nodule(self, watched: LiveResult, served: ServedModel) -> Nodule | SeraError:
        try:
            return self._preparation.nodule(
                watched.image_sha256, watched.roi, watched.frame, served.bundle.framing
            )
        except SeraError as error:
            return error
        except Exception as error:  # noqa: BLE001 (one image's fault must not take the others along)
            return broke(watched, error)

    def _predict(
        self, served: ServedModel, nodules: list[Nodule | SeraError]
    ) -> list[Prediction | SeraError]:
        """The batch at once; if that breaks, one by one."""
        good = [nodule for nodule in nodules if not isinstance(nodule, SeraError)]
        try:
            outcomes = iter(served.bundle.predict_each(good) if good else ())
        except Exception as error:  # noqa: BLE001 (the culprit is found one by one)
            if len(nodules) == 1:
                log().error("shadow.image-broke", exc_info=error)
                return [SeraError()]
            return [self._predict(served, [nodule])[0] for nodule in nodules]
        return [
            each if isinstance(each, SeraError) else next(outcomes) for each in nodules
        ]


def broke(watched: LiveResult, error: Exception) -> SeraError:
    log().error("shadow.image-broke", job=str(watched.job_id), exc_info=error)
    return SeraError()


def shadow_result(watched: LiveResult, outcome: Prediction | SeraError, served: ServedModel) -> ShadowResult:
    """Its risk at the prevalence the live model's result was given at."""
    if isinstance(outcome, SeraError):
        return ShadowResult(reason=outcome.code)
    risk = risk_at(watched.prevalence, outcome.risk, served.bundle.prevalence)
    return ShadowResult(outcome.score, risk, outcome.decision)
