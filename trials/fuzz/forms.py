"""Multipart bodies, written by hand so that they can be odd."""

from collections.abc import Callable, Mapping
from random import Random

Form = tuple[str, bytes]
"""Content type and body."""
EDGE = "------------------------5e1d0f"
TYPES = (
    "image/png",
    "image/jpeg",
    "image/tiff",
    "application/dicom",
    "application/octet-stream",
    "text/html",
)
ODD_VALUES = (
    *(
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
    ),
    *(
        '{"box": [0, 0, 1e400, 9]}',
        '{"polygon": ' + "[" * 5000 + "}",
        '{"box": [1, 2, 3]}',
        "2147483648",
        "-9" * 30,
    ),
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
    """As clients send it; the declared type need not be the file's."""
    return _type(), _body([_image(image, chance.choice(TYPES)), *_texts(fields)])


def no_declared_type(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    head = b'Content-Disposition: form-data; name="image"; filename="n"'
    return _type(), _body([(head, image), *_texts(fields)])


def odd_file_name(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    return _type(), _body(
        [_image(image, "image/png", chance.choice(ODD_NAMES)), *_texts(fields)]
    )


def image_as_text(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    """Without a file name it is a field."""
    return _type(), _body(
        [(b'Content-Disposition: form-data; name="image"', image), *_texts(fields)]
    )


def image_twice(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    return _type(), _body(
        [_image(image, "image/png"), _image(image[:100], "image/png"), *_texts(fields)]
    )


def fields_twice(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    return _type(), _body(
        [_image(image, "image/png"), *_texts(fields), *_texts(fields)]
    )


def odd_value(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    name = chance.choice(
        ("size_mm", "roi", "external_id", "priority", "frame", "descriptors", "unknown")
    )
    return _type(), _body(
        [
            _image(image, "image/png"),
            *_texts({**fields, name: chance.choice(ODD_VALUES)}),
        ]
    )


def field_as_file(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    parts = [
        (
            f'Content-Disposition: form-data; name="{name}"; filename="x"'.encode(),
            image[:64],
        )
        for name in fields
    ]
    return _type(), _body([_image(image, "image/png"), *parts])


def field_left_out(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    parts = [_image(image, "image/png"), *_texts(fields)]
    parts.pop(chance.randrange(len(parts)))
    return _type(), _body(parts)


def many_fields(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    many = {f"field{index}": "x" for index in range(chance.choice((10, 999, 3000)))}
    return _type(), _body([_image(image, "image/png"), *_texts({**many, **fields})])


def not_closed(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    kind, body = plain(chance, image, fields)
    return kind, body[: len(body) - chance.choice((2, 4, 20, len(body) // 2))]


def line_feeds_only(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    kind, body = plain(chance, image, fields)
    return kind, body.replace(b"\r\n", b"\n")


def odd_boundary(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    parameter = chance.choice(
        (
            "",
            "; boundary=",
            "; boundary=other",
            f'; boundary="{EDGE}"',
            "; boundary=" + "b" * 500,
        )
    )
    return f"multipart/form-data{parameter}", plain(chance, image, fields)[1]


def not_multipart(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    kinds = (
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/mixed; boundary=x",
        "",
    )
    return chance.choice(kinds), image


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
    return _type(), _body([(chance.choice(heads), image), *_texts(fields)])


def empty(chance: Random, image: bytes, fields: Mapping[str, str]) -> Form:
    return _type(), chance.choice((b"", b"\r\n", f"--{EDGE}--\r\n".encode()))


ODDITIES: tuple[Callable[[Random, bytes, Mapping[str, str]], Form], ...] = (
    no_declared_type,
    odd_file_name,
    image_as_text,
    image_twice,
    fields_twice,
    odd_value,
    field_as_file,
    field_left_out,
    many_fields,
    not_closed,
    line_feeds_only,
    odd_boundary,
    not_multipart,
    odd_part_headers,
    empty,
)


def _type() -> str:
    return f"multipart/form-data; boundary={EDGE}"


def _image(image: bytes, kind: str, name: str = "nodule.png") -> tuple[bytes, bytes]:
    head = (
        f'Content-Disposition: form-data; name="image"; filename="{name}"\r\nContent-Type: '
        f"{kind}"
    )
    return head.encode(), image


def _texts(fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (f'Content-Disposition: form-data; name="{name}"'.encode(), value.encode())
        for name, value in fields.items()
    ]


def _body(parts: list[tuple[bytes, bytes]]) -> bytes:
    edge = f"--{EDGE}\r\n".encode()
    return (
        b"".join(
            edge + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts
        )
        + edge[:-2]
        + b"--\r\n"
    )
