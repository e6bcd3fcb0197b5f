"""Requests for every route of the OpenAPI, made from what it says of itself."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from services.api.app import create_app
from shared.settings import Settings
from tests.support.builders import png
from tests.support.run_cache import RunCache

PICTURE = ("nodule.png", png(), "image/png")


@dataclass(frozen=True)
class Route:
    """A method and path of the document, with what its parameters and body are."""

    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any]
    document: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def named(self, place: str) -> list[str]:
        """Names of the parameters in `path` or `query`."""
        return [
            parameter["name"]
            for parameter in self.parameters
            if parameter["in"] == place
        ]

    def address(self, ids: Mapping[str, object]) -> str:
        """The path with these in place of its parameters; KeyError for one that is not known."""
        filled = self.path
        for name in self.named("path"):
            value = (
                ids[f"{self.path.split('/')[2]}/{name}"]
                if name == "name"
                else ids[name]
            )
            filled = filled.replace(f"{{{name}}}", str(value))
        return filled

    def query(self) -> dict[str, Any]:
        """What has to stand in the query."""
        required = (
            parameter
            for parameter in self.parameters
            if parameter["in"] == "query" and parameter.get("required")
        )
        return {item["name"]: self._example(item["schema"]) for item in required}

    def content(self) -> dict[str, Any]:
        """A valid body, as an HTTP client takes it."""
        for kind, definition in self.body.items():
            example = self._example(definition["schema"])
            if kind == "application/json":
                return {"json": example}
            if str(self) in ("POST /v1/cases", "POST /v1/previews"):
                example |= {"image": PICTURE}  # either this or a kept preview
            files = {
                name: value
                for name, value in example.items()
                if isinstance(value, tuple)
            }
            return {
                "data": {
                    name: value for name, value in example.items() if name not in files
                },
                "files": files,
            }
        return {}

    def _example(self, schema: Mapping[str, Any]) -> Any:
        schema = self._resolved(schema)
        if schema.get("examples"):
            return schema["examples"][0]
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("format") == "binary" or "contentMediaType" in schema:
            return PICTURE
        if schema.get("type") == "object":
            required = schema.get("required", [])
            return {
                name: self._example(definition)
                for name, definition in schema.get("properties", {}).items()
                if name in required
            }
        if schema.get("type") == "array":
            return [self._example(schema["items"])]
        return {"string": "word", "integer": 1, "number": 1.0, "boolean": True}[
            schema["type"]
        ]

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            return self._resolved(
                self.document["components"]["schemas"][
                    schema["$ref"].rpartition("/")[2]
                ]
            )
        variants = schema.get("anyOf") or schema.get("allOf")
        return (
            self._resolved(variants[0])
            | {k: v for k, v in schema.items() if k == "examples"}
            if variants
            else schema
        )


@cache
def openapi_document() -> dict[str, Any]:
    """What the gateway says of its routes; made once in a test run, for it takes a second."""
    path = RunCache.path("openapi.json", _write_openapi)
    return json.loads(path.read_text())


def _write_openapi(path: Path) -> None:
    settings = Settings(database_url="postgresql://x/x", broker_url="redis://x")
    path.write_text(json.dumps(create_app(settings).openapi()))


def routes(document: Mapping[str, Any]) -> Iterator[Route]:
    for path, methods in document["paths"].items():
        for method, definition in methods.items():
            body = definition.get("requestBody", {}).get("content", {})
            yield Route(
                method.upper(),
                path,
                tuple(definition.get("parameters", ())),
                body,
                document,
            )
