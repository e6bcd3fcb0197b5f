"""Traces as a collector gets them, from a receiver of our own; the way of a case is in tests/integration/worker."""

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
OFF = """
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
    """Its address, and the spans that it got."""
    got = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            told = ExportTraceServiceRequest.FromString(
                self.rfile.read(int(self.headers["Content-Length"]))
            )
            got.extend((self.path, whole) for whole in told.resource_spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/", got
        server.shutdown()
        serving.join()


@pytest.fixture(autouse=True)
def ended():
    yield
    tracing.close()


def test_without_an_address_nothing_of_the_sdk_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", OFF], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_collector_gets_spans_with_their_stages_and_no_message_of_an_error(collector):
    url, got = collector
    tracing.configure("worker", Settings(otlp_url=url))
    with suppress(ValueError), tracing.span("http.request", attempt=1):
        parent = tracing.traceparent()
        raise ValueError("Jane Doe")
    with collect_timings() as laps, measure("decode"):
        pass
    tracing.record_finished_span("case.work", parent, laps, "image-unreadable", lane="urgent")
    tracing.record_finished_span("case.work", None, laps)
    tracing.close()
    ((path, whole),) = got
    assert path == "/v1/traces"
    assert ("service.name", "sera-worker") in [
        (each.key, each.value.string_value) for each in whole.resource.attributes
    ]
    spans = {span.name: span for scope in whole.scope_spans for span in scope.spans}
    assert spans.keys() == {"http.request", "decode", "case.work"}
    assert {span.trace_id.hex() for span in spans.values()} == {parent.split("-")[1]}
    assert spans["decode"].parent_span_id == spans["case.work"].span_id
    assert spans["case.work"].parent_span_id == spans["http.request"].span_id
    assert spans["case.work"].status.message == "image-unreadable"
    assert "Jane" not in str(whole)


def test_what_was_not_chosen_to_be_traced_is_not_traced_by_the_worker_either(collector):
    url, got = collector
    tracing.configure("api", Settings(otlp_url=url, trace_share=0))
    with tracing.span("http.request"):
        parent = tracing.traceparent()
    with collect_timings() as laps, measure("decode"):
        pass
    tracing.record_finished_span("case.work", parent, laps)
    tracing.close()
    assert not int(parent.split("-")[3], 16) & SAMPLED
    assert got == []


@pytest.mark.parametrize(
    "wrong", ["", "00-0-0-01", "Jane Doe", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_client_that_names_no_trace_begins_one(wrong):
    tracing.install("api", 1.0, SpanProcessor())
    with tracing.span("http.request", wrong):
        assert int(tracing.traceparent().split("-")[1], 16) > 0


def test_a_clients_own_trace_is_gone_on_with():
    trace = "0af7651916cd43dd8448eb211c80319c"
    tracing.install("api", 1.0, SpanProcessor())
    with tracing.span("http.request", f"00-{trace}-b7ad6b7169203331-01"):
        assert tracing.traceparent().split("-")[1] == trace
