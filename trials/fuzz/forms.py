"""Builds multipart bodies by hand, valid and malformed ones, around an image and form fields."""

from collections.abc import Callable, Mapping
from random import Random

Form = tuple[str, bytes]
"""Content type and body."""
BOUNDARY = "------------------------5e1d0f"
TYPES = (
    "image/png",
    "image/jpeg",
    "image/tiff",
    "application/dicom",
    "application/octet-stream",
    "text/html",
)
ODD_VALUES = (
    "",
    "NaN",
    "-1",
    "1e999",
    "300.0001",
    "0x10",
    "١٤",
    "14,5",
    "\0",
    "\u202e",
    "9" * 5000,
    "[]",
    "{}",
    "null",
    '{"box": [0, 0, 1e400, 9]}',
    '{"polygon": ' + "[" * 5000 + "}",
    '{"box": [1, 2, 3]}',
    "2147483648",
    "-9" * 30,
)
ODD_NAMES = (
    "",
    "\0.png",
    "../../etc/passwd",
    '"; x="',
    "é\u2028.dcm",
    "a" * 3000,
    "CON",
    "%00",
    "\\\\host\\share",
)
IMAGE_HEADER = b'Content-Disposition: form-data; name="image"; filename="a"'


def plain(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    """A valid form; the declared type of the image may be wrong."""
    image_part = _image(image, chance.choice(TYPES))
    return _content_type(), _body([image_part, *_texts(fields)])


def no_declared_type(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    head = b'Content-Disposition: form-data; name="image"; filename="n"'
    return _content_type(), _body([(head, image), *_texts(fields)])


def odd_file_name(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    image_part = _image(image, "image/png", chance.choice(ODD_NAMES))
    return _content_type(), _body([image_part, *_texts(fields)])


def image_as_text(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    """Without a file name the part is a text field."""
    head = b'Content-Disposition: form-data; name="image"'
    return _content_type(), _body([(head, image), *_texts(fields)])


def image_twice(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    image_parts = [_image(image, "image/png"), _image(image[:100], "image/png")]
    return _content_type(), _body([*image_parts, *_texts(fields)])


def fields_twice(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    image_part = _image(image, "image/png")
    return _content_type(), _body([image_part, *_texts(fields), *_texts(fields)])


def odd_value(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    name = chance.choice(
        ("size_mm", "roi", "external_id", "priority", "frame", "descriptors", "unknown")
    )
    odd_fields = {**fields, name: chance.choice(ODD_VALUES)}
    return _content_type(), _body([_image(image, "image/png"), *_texts(odd_fields)])


def field_as_file(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    parts = [_image(image, "image/png")]
    for name in fields:
        head = f'Content-Disposition: form-data; name="{name}"; filename="x"'
        parts.append((head.encode(), image[:64]))
    return _content_type(), _body(parts)


def missing_part(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    parts = [_image(image, "image/png"), *_texts(fields)]
    parts.pop(chance.randrange(len(parts)))
    return _content_type(), _body(parts)


def many_fields(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    count = chance.choice((10, 999, 3000))
    further_fields = {f"field{index}": "x" for index in range(count)}
    texts = _texts({**further_fields, **fields})
    return _content_type(), _body([_image(image, "image/png"), *texts])


def not_closed(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    content_type, body = plain(chance, image, fields)
    missing_bytes = chance.choice((2, 4, 20, len(body) // 2))
    return content_type, body[: len(body) - missing_bytes]


def line_feeds_only(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    content_type, body = plain(chance, image, fields)
    return content_type, body.replace(b"\r\n", b"\n")


def odd_boundary(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    parameters = (
        "",
        "; boundary=",
        "; boundary=other",
        f'; boundary="{BOUNDARY}"',
        "; boundary=" + "b" * 500,
    )
    content_type = f"multipart/form-data{chance.choice(parameters)}"
    _, body = plain(chance, image, fields)
    return content_type, body


def not_multipart(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    content_types = (
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/mixed; boundary=x",
        "",
    )
    return chance.choice(content_types), image


def odd_part_headers(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    heads = (
        b"",
        b"Content-Disposition: form-data",
        b"Content-Disposition: attachment; name=image; filename*=UTF-8''%ff%00",
        IMAGE_HEADER + b"\r\nContent-Transfer-Encoding: base64",
        IMAGE_HEADER + b"\r\nContent-Type: image/png; charset=\xff",
        IMAGE_HEADER + b"\r\nX: " + b"y" * 100_000,
        b"no colon at all",
    )
    head = chance.choice(heads)
    return _content_type(), _body([(head, image), *_texts(fields)])


def empty(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    bodies = (b"", b"\r\n", f"--{BOUNDARY}--\r\n".encode())
    return _content_type(), chance.choice(bodies)


ODDITIES: tuple[Callable[[Random, bytes, Mapping[str, str]], Form], ...] = (
    no_declared_type,
    odd_file_name,
    image_as_text,
    image_twice,
    fields_twice,
    odd_value,
    field_as_file,
    missing_part,
    many_fields,
    not_closed,
    line_feeds_only,
    odd_boundary,
    not_multipart,
    odd_part_headers,
    empty,
)


def _content_type() -> str:
    return f"multipart/form-data; boundary={BOUNDARY}"


def _image(
    image: bytes, content_type: str, name: str = "nodule.png"
) -> tuple[bytes, bytes]:
    """Headers and content of the part with the image."""
    head = (
        f'Content-Disposition: form-data; name="image"; filename="{name}"\r\n'
        f"Content-Type: {content_type}"
    )
    return head.encode(), image


def _texts(fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (f'Content-Disposition: form-data; name="{name}"'.encode(), value.encode())
        for name, value in fields.items()
    ]


def _body(parts: list[tuple[bytes, bytes]]) -> bytes:
    boundary = f"--{BOUNDARY}".encode()
    body = b""
    for head, content in parts:
        body += boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
    return body + boundary + b"--\r\n"
