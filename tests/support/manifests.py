"""Reads tables of images that tests write."""

from shared.domain.datasets.manifest import Manifest, Row, parse_manifest


def parse(text: str | bytes) -> Manifest:
    return parse_manifest(text, source_name="The manifest")


def problems(manifest: Manifest) -> list[tuple[int, str]]:
    return [(row.line, row.problem.code) for row in manifest.refused]


def rows_of(text: str | bytes) -> tuple[Row, ...]:
    manifest = parse(text)
    assert manifest.refused == ()
    return manifest.rows
