"""Traces by OpenTelemetry where SERA_OTLP_URL says whither; else nothing of its SDK is imported.

A trace is carried by the job's row (W3C `traceparent`), since workers claim jobs from the ledger, in batches.
Attributes are ids, states, codes and counts; nothing of a patient is ever one. The provider is our own and not the
process's, so that no library adds spans with addresses or messages of its own.
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

PATH = "/v1/traces"
_provider: "TracerProvider | None" = None


def configure(service: str, settings: Settings) -> None:
    """Send this process's traces to the collector, if there is one."""
    if settings.otlp_url is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    url = settings.otlp_url.rstrip("/").removesuffix(PATH) + PATH
    install(
        service,
        settings.trace_share,
        BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)),
    )


def install(service: str, share: float, processor: "SpanProcessor") -> None:
    """Have spans of this process go to a processor."""
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
    """Send what is still to be sent, and trace no more."""
    global _provider
    provider = _provider
    _provider = None
    if provider:
        provider.shutdown()


@contextmanager
def span(
    name: str, parent: str | None = None, **attributes: str | int | float
) -> Iterator[Any]:
    """What happens in here, as a part of what is around it, or of a `traceparent`; None where no traces are made."""
    if _provider is None:
        yield None
        return
    with _provider.get_tracer("sera").start_as_current_span(
        name,
        context=_context(parent) if parent else None,
        attributes=attributes,
        record_exception=False,  # a message may hold what was sent
        set_status_on_exception=False,
    ) as begun:
        yield begun


def traceparent() -> str | None:
    """Of the span that is open here; None without one."""
    if _provider is None:
        return None
    from opentelemetry.trace import get_current_span

    here = get_current_span().get_span_context()
    return (
        f"00-{here.trace_id:032x}-{here.span_id:016x}-{int(here.trace_flags):02x}"
        if here.is_valid
        else None
    )


def record_finished_span(
    name: str,
    parent: str | None,
    timings: Sequence[Timing],
    problem: str | None = None,
    **attributes: str | int,
) -> None:
    """A span that is over, from its first stage to its last, with its stages; `problem` is the code of what failed.

    What has no `parent` came from a request that was not traced, and is not traced either.
    """
    if _provider is None or parent is None or not timings:
        return
    from opentelemetry.trace import Status, StatusCode, set_span_in_context

    tracer = _provider.get_tracer("sera")
    began_ns = min(each.began_ns for each in timings)
    begun = tracer.start_span(
        name, _context(parent), attributes=attributes, start_time=began_ns
    )
    if problem:
        begun.set_status(Status(StatusCode.ERROR, problem))
    for each in timings:
        tracer.start_span(
            each.name, set_span_in_context(begun), start_time=each.began_ns
        ).end(each.ended_ns)
    begun.end(max(each.ended_ns for each in timings))


def _context(parent: str) -> "Context":
    """Of what is no `traceparent` nothing is taken over: a trace of its own begins."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import (
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())
