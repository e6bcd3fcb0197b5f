"""Reads requests strictly: what a client cannot have meant is refused, naming the field.

Starlette and pydantic accept more: a form that breaks off before its last boundary, the last of two
fields of one name, text in another encoding than UTF-8, and numbers such as `1_2`.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import aclosing
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.routing import Match
from starlette.types import Scope

from shared.domain.decimals import is_decimal, is_integer
from shared.domain.strict_json import KeyRepeated, load_json

MULTIPART = b"multipart/form-data"
URL_ENCODED = b"application/x-www-form-urlencoded"
NOT_UTF8 = "Input should be text in UTF-8"
SENT_TWICE = "Input was sent {count} times; send it once"
KEY_TWICE = "Input is there twice in one object; keep one"
NOT_A_NUMBER = "Input should be a number in the digits 0 to 9, such as {example}"
MAX_INLINE_JSON_BYTES = 2**20
"""A larger JSON body is checked in a thread, so that other requests go on meanwhile."""
EXAMPLES = {int: "12", float: "12.5"}
Location = tuple[str, str]


class StrictRoute(APIRoute):
    """A route whose forms, JSON bodies and numbers are read strictly, and whose parameters never
    take the place of another route's path: `GET /v1/jobs/rerun` is not the job "rerun".
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if child_scope.get("path_params") and scope["path"] in _fixed_paths(scope):
            return Match.NONE, {}
        return match, child_scope

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()
        fields = RouteFields.of(self)

        async def handle(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            check_numbers("path", request.path_params.items(), fields.path)
            check_numbers("query", request.query_params.multi_items(), fields.query)
            await strict.check_body(fields)
            return await inner(strict)

        return handle


def fixed_paths(routers: Iterable[APIRouter]) -> frozenset[str]:
    """Return the paths without parameters. Each belongs to its own routes alone."""
    paths = [
        route.path
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
    return frozenset(path for path in paths if "{" not in path)


def _fixed_paths(scope: Scope) -> frozenset[str]:
    """Return the app's fixed paths; none of an app that states none."""
    paths: frozenset[str] = getattr(scope["app"].state, "fixed_paths", frozenset())
    return paths


class RouteFields:
    """The kinds of a route's fields, by name."""

    def __init__(
        self,
        *,
        path: Mapping[str, type],
        query: Mapping[str, type],
        body: Mapping[str, type],
        lists: frozenset[str],
        has_body: bool,
    ) -> None:
        """`path`, `query` and `body` are the numbers among the fields. `lists` may come several
        times in a form.
        """
        self.path = path
        self.query = query
        self.body = body
        self.lists = lists
        self.has_body = has_body

    @classmethod
    def of(cls, route: APIRoute) -> "RouteFields":
        path: dict[str, object] = {}
        query: dict[str, object] = {}
        body: dict[str, object] = {}
        for dependant in _with_dependencies(route.dependant):
            path |= _annotations(dependant.path_params)
            query |= _annotations(dependant.query_params)
            body |= _annotations(dependant.body_params)
        lists = [name for name, annotation in body.items() if _is_list(annotation)]
        return cls(
            path=_numbers(path),
            query=_numbers(query),
            body=_numbers(body),
            lists=frozenset(lists),
            has_body=route.body_field is not None,
        )


class StrictRequest(Request):
    """A request whose body is read strictly."""

    async def check_body(self, fields: RouteFields) -> None:
        """Read the body and check it.

        Raises RequestValidationError naming the field, HTTPException for a form that breaks off.
        """
        if not fields.has_body:
            return
        content_type, _ = parse_options_header(self.headers.get("content-type"))
        if content_type in (MULTIPART, URL_ENCODED):
            form = await self.form()
            try:
                check_repeats(form, fields.lists)
                check_numbers("body", form.multi_items(), fields.body)
            except RequestValidationError:
                await form.close()
                raise
        elif content_type.endswith((b"/json", b"+json")):
            body = await self.body()
            if len(body) > MAX_INLINE_JSON_BYTES:
                await run_in_threadpool(check_json, body, fields.body)
            else:
                check_json(body, fields.body)

    async def _get_form(
        self,
        *,
        max_files: float = 1000,
        max_fields: float = 1000,
        max_part_size: int = 1024 * 1024,
    ) -> FormData:
        """Starlette's method, with strict parsers."""
        if self._form is not None:
            return self._form
        content_type, _ = parse_options_header(self.headers.get("content-type"))
        parser: MultiPartParser | FormParser
        async with aclosing(self.stream()) as stream:
            if content_type == MULTIPART:
                parser = StrictMultiPartParser(
                    self.headers,
                    stream,
                    max_files=max_files,
                    max_fields=max_fields,
                    max_part_size=max_part_size,
                )
            else:
                parser = StrictFormParser(
                    self.headers,
                    stream,
                    max_fields=max_fields,
                    max_part_size=max_part_size,
                )
            try:
                self._form = await parser.parse()
            except MultiPartException as error:
                raise HTTPException(status_code=400, detail=error.message) from error
        return self._form


class StrictMultiPartParser(MultiPartParser):
    """Refuses a form without its last boundary, and text that is not UTF-8."""

    _is_closed = False

    def on_headers_finished(self) -> None:
        self._charset = "utf-8"
        _, options = parse_options_header(self._current_part.content_disposition)
        name = options.get(b"name", b"")
        _utf8(name, field=name)
        _utf8(options.get(b"filename", b""), field=name)
        super().on_headers_finished()

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            _utf8(self._current_part.data, field=self._current_part.field_name)
        super().on_part_end()

    def on_end(self) -> None:
        self._is_closed = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._is_closed:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("The form breaks off before its last boundary.")
        return form


class StrictFormParser(FormParser):
    """Refuses text that is not UTF-8."""

    def on_field_end(self) -> None:
        for text in (self._field_name, self._field_value):
            decoded = unquote_to_bytes(bytes(text).replace(b"+", b" "))
            _utf8(decoded, field=bytes(self._field_name))
        super().on_field_end()


def check_repeats(form: FormData, lists: frozenset[str]) -> None:
    """Refuse a field that came several times, unless it is a list."""
    counts = Counter(name for name, _ in form.multi_items())
    for name, count in counts.items():
        if count > 1 and name not in lists:
            message = SENT_TWICE.format(count=count)
            raise _invalid(("body", name), "field_repeated", message)


def check_numbers(
    place: str, values: Iterable[tuple[str, object]], numbers: Mapping[str, type]
) -> None:
    """Refuse text in a number's field that pydantic reads and a person would not write."""
    for name, text in values:
        kind = numbers.get(name)
        if kind is None or not isinstance(text, str) or not text:
            continue
        is_plain = is_integer if kind is int else is_decimal
        if not is_plain(text):
            message = NOT_A_NUMBER.format(example=EXAMPLES[kind])
            raise _invalid((place, name), "number_parsing", message)


def check_json(body: bytes, numbers: Mapping[str, type]) -> None:
    """Refuse a JSON body with a key that is there twice, or with odd text for a number.

    Other faults are the route's to find: it names the field of a NaN.
    """
    try:
        values = load_json(body)
    except KeyRepeated as error:
        raise _invalid(("body", error.key), "key_repeated", KEY_TWICE) from error
    except (ValueError, RecursionError):
        return
    if isinstance(values, Mapping):
        check_numbers("body", values.items(), numbers)


def _utf8(text: bytes | bytearray, field: bytes | str) -> None:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        name = field if isinstance(field, str) else field.decode("utf-8", "replace")
        raise _invalid(("body", name), "string_unicode", NOT_UTF8) from error


def _invalid(location: Location, kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": location, "msg": message}])


def _with_dependencies(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for dependency in dependant.dependencies:
        yield from _with_dependencies(dependency)


def _annotations(fields: Iterable[ModelField]) -> dict[str, object]:
    """Names and types of fields; a model stands for the fields in it."""
    annotations: dict[str, object] = {}
    for field in fields:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, info in annotation.model_fields.items():
                annotations[info.alias or name] = info.annotation
        else:
            annotations[field.alias] = annotation
    return annotations


def _numbers(annotations: Mapping[str, object]) -> dict[str, type]:
    numbers: dict[str, type] = {}
    for name, annotation in annotations.items():
        kinds = set(_leaves(annotation)) - {NoneType}
        if kinds in ({int}, {float}, {int, float}):
            numbers[name] = float if float in kinds else int
    return numbers


def _is_list(annotation: object) -> bool:
    return any(leaf is list or get_origin(leaf) is list for leaf in _leaves(annotation))


def _leaves(annotation: object) -> Iterator[object]:
    """The types of a union, without what annotates them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _leaves(part)
    else:
        yield annotation
