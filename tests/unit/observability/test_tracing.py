"""Traces as a collector of our own receives them.

The trace of a case is in tests/integration/worker.
"""

import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.sdk.trace import SpanProcessor

from shared.observability import tracing
from shared.observability.timings import collect_timings, measure
from shared.settings import Settings

SAMPLED = 1
PROGRAM_WITHOUT_TRACES = """
import sys
from shared.observability import tracing
from shared.settings import Settings
tracing.configure("api", Settings())
with tracing.span("http.request", None, route="/v1/cases") as span:
    assert span is None and tracing.traceparent() is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


@pytest.fixture
def collector():
    """Its address, and the received spans of each resource with their path."""
    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            for resource_spans in request.resource_spans:
                received.append((self.path, resource_spans))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server_thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        server_thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        server_thread.join()


@pytest.fixture(autouse=True)
def closed_tracing():
    yield
    tracing.close()


def test_without_an_address_nothing_of_the_sdk_is_imported():
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM_WITHOUT_TRACES],
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.strip() == "[]"


def test_a_collector_gets_spans_with_their_stages_and_no_message_of_an_error(collector):
    url, received = collector
    tracing.configure("worker", Settings(otlp_url=url))
    with suppress(ValueError), tracing.span("http.request", attempt=1):
        parent = tracing.traceparent()
        raise ValueError("Jane Doe")
    with collect_timings() as timings, measure("decode"):
        pass
    tracing.record_finished_span(
        "case.work", parent, timings, "image-unreadable", lane="urgent"
    )
    tracing.record_finished_span("case.work", None, timings)
    tracing.close()
    ((path, resource_spans),) = received
    assert path == "/v1/traces"
    attributes = {
        attribute.key: attribute.value.string_value
        for attribute in resource_spans.resource.attributes
    }
    assert attributes["service.name"] == "sera-worker"
    (scope,) = resource_spans.scope_spans
    spans = {span.name: span for span in scope.spans}
    assert spans.keys() == {"http.request", "decode", "case.work"}
    assert {span.trace_id.hex() for span in spans.values()} == {parent.split("-")[1]}
    assert spans["decode"].parent_span_id == spans["case.work"].span_id
    assert spans["case.work"].parent_span_id == spans["http.request"].span_id
    assert spans["case.work"].status.message == "image-unreadable"
    assert "Jane" not in str(resource_spans)


def test_the_worker_does_not_trace_a_request_that_was_not_sampled(collector):
    url, received = collector
    tracing.configure("api", Settings(otlp_url=url, trace_share=0))
    with tracing.span("http.request"):
        parent = tracing.traceparent()
    with collect_timings() as timings, measure("decode"):
        pass
    tracing.record_finished_span("case.work", parent, timings)
    tracing.close()
    assert not int(parent.split("-")[3], 16) & SAMPLED
    assert received == []


@pytest.mark.parametrize(
    "header", ["", "00-0-0-01", "Jane Doe", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
def test_an_invalid_traceparent_begins_a_new_trace(header):
    tracing.install("api", 1.0, SpanProcessor())
    with tracing.span("http.request", header):
        assert int(tracing.traceparent().split("-")[1], 16) > 0


def test_a_valid_traceparent_of_the_client_is_continued():
    trace = "0af7651916cd43dd8448eb211c80319c"
    tracing.install("api", 1.0, SpanProcessor())
    with tracing.span("http.request", f"00-{trace}-b7ad6b7169203331-01"):
        assert tracing.traceparent().split("-")[1] == trace
