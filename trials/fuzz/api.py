"""Every operation of the OpenAPI document against the running gateway, through Schemathesis."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

REQUEST_S = 70
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "ignored_auth",
    "unsupported_method",
)
"""What holds of every answer. Whether data that the document calls valid must be taken, and other
data refused, is not for a document to say: an ROI may lie outside its image, and a hospital not
exist.
"""
SCHEME = "HTTPBearer"


@dataclass
class Findings:
    """What a run asked and what was wrong with the answers, each fault once."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    faults: dict[str, str] = field(default_factory=dict)
    """How to bring about each, by what it is."""


def fuzz_api(
    url: str,
    key: str,
    seed: int,
    examples: int,
    edges: bool = True,
    on_progress: Callable[[str], None] | None = None,
) -> Findings:
    """Fuzz every operation at `url` with a key; as many examples of each, and the edges of every
    parameter. `on_progress` gets a line for each operation of each phase as it ends.
    """
    config = SchemathesisConfig.from_dict(_config(key, seed, examples, edges))
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _count(findings, event.recorder)
            if on_progress is not None:
                on_progress(_progress(findings, event))
        elif isinstance(event, events.NonFatalError):
            findings.faults[f"{event.label}: {event.value}"] = ""
        elif isinstance(event, events.FatalError):
            raise event.exception
    return findings


def _config(key: str, seed: int, examples: int, edges: bool) -> dict[str, Any]:
    return {
        "seed": seed,
        "request-timeout": REQUEST_S,
        "continue-on-failure": True,
        "auth": {"openapi": {SCHEME: {"bearer": key}}},
        "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS},
        "generation": {
            "max-examples": examples,
            "deterministic": True,
            "no-shrink": True,
            "database": "none",
        },
        "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": edges}},
        "cache": {"enabled": False},
    }


def _count(findings: Findings, recorder: ScenarioRecorder) -> None:
    responses = [
        interaction.response
        for interaction in recorder.interactions.values()
        if interaction.response is not None
    ]
    findings.requests += len(recorder.interactions)
    findings.statuses.update(response.status_code for response in responses)
    findings.operations.add(recorder.label)
    findings.faults.update(_faults(recorder))


def _progress(findings: Findings, event: events.ScenarioFinished) -> str:
    return (
        f"{event.phase.value} {event.recorder.label}: "
        f"{len(event.recorder.interactions)} requests in {event.elapsed_time:.1f} s, "
        f"{len(findings.faults)} faults so far"
    )


def _faults(recorder: ScenarioRecorder) -> Iterator[tuple[str, str]]:
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.status is not Status.SUCCESS:
                failure = check.failure_info
                description = (
                    f"{failure.failure.title}: {failure.failure.message}"
                    if failure
                    else check.status
                )
                yield (
                    f"{recorder.label}: {check.name}: {description}",
                    failure.code_sample if failure else _request(recorder, case_id),
                )


def _request(recorder: ScenarioRecorder, case_id: str) -> str:
    request = recorder.interactions[case_id].request
    return f"{request.method} {request.uri}"
