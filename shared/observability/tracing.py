"""Traces by OpenTelemetry. They are made only if SERA_OTLP_URL is set.

Without the setting nothing of the OpenTelemetry SDK is imported.
The job's row carries the trace (W3C `traceparent`), because workers claim jobs from the ledger in
batches. Attributes are ids, states, codes and counts, and never data of a patient. The provider
is SERA's own and not the process's, so that no library adds spans with addresses or messages.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.observability.timings import Timing
from shared.settings import Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

OTLP_TRACES_PATH = "/v1/traces"
_provider: "TracerProvider | None" = None


def configure(service: str, settings: Settings) -> None:
    """Send this process's traces to the collector, if the settings name one."""
    if settings.otlp_url is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    base_url = settings.otlp_url.rstrip("/").removesuffix(OTLP_TRACES_PATH)
    exporter = OTLPSpanExporter(endpoint=base_url + OTLP_TRACES_PATH, timeout=5)
    install(service, settings.trace_share, BatchSpanProcessor(exporter))


def install(service: str, share: float, processor: "SpanProcessor") -> None:
    """Send a share of this process's traces to a processor."""
    global _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource({"service.name": f"sera-{service}", "service.version": VERSION})
    _provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)), resource=resource
    )
    _provider.add_span_processor(processor)


def close() -> None:
    """Send the remaining spans and stop tracing."""
    global _provider
    provider = _provider
    _provider = None
    if provider:
        provider.shutdown()


@contextmanager
def span(
    name: str, parent: str | None = None, **attributes: str | int | float
) -> Iterator[Any]:
    """A span around the block; yields None if traces are off.

    Its parent is the `traceparent` given as `parent`, else the enclosing open span.
    """
    if _provider is None:
        yield None
        return
    with _provider.get_tracer("sera").start_as_current_span(
        name,
        context=_context(parent) if parent else None,
        attributes=attributes,
        record_exception=False,  # an error's message may hold what the client sent
        set_status_on_exception=False,
    ) as open_span:
        yield open_span


def traceparent() -> str | None:
    """The W3C `traceparent` of the open span; None without one."""
    if _provider is None:
        return None
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None
    trace_id = f"{context.trace_id:032x}"
    span_id = f"{context.span_id:016x}"
    flags = f"{int(context.trace_flags):02x}"
    return f"00-{trace_id}-{span_id}-{flags}"


def record_finished_span(
    name: str,
    parent: str | None,
    timings: Sequence[Timing],
    error_code: str | None = None,
    **attributes: str | int,
) -> None:
    """Record a span that is over, with one child span for each stage.

    The span lasts from the first stage to the last. `error_code` is the code of a failure.
    Without a `parent` the request was not traced, and its work is not traced either.
    """
    if _provider is None or parent is None or not timings:
        return
    from opentelemetry.trace import Status, StatusCode, set_span_in_context

    tracer = _provider.get_tracer("sera")
    work_span = tracer.start_span(
        name,
        _context(parent),
        attributes=attributes,
        start_time=min(timing.began_ns for timing in timings),
    )
    if error_code:
        work_span.set_status(Status(StatusCode.ERROR, error_code))
    stage_context = set_span_in_context(work_span)
    for timing in timings:
        stage_span = tracer.start_span(
            timing.name, stage_context, start_time=timing.began_ns
        )
        stage_span.end(timing.ended_ns)
    work_span.end(max(timing.ended_ns for timing in timings))


def _context(parent: str) -> "Context":
    """The context of a `traceparent`; one that cannot be parsed begins a new trace."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import (
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())
