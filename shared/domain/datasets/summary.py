"""Counts what a manifest holds, for a preview before it is imported."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.domain.datasets.manifest import Manifest, Row
from shared.domain.identity import identity_key

MAX_RANGES = 6
"""Ranges of lines that are listed of one reason."""
MAX_NAMES = 3


@dataclass(frozen=True)
class ManifestSummary:
    """Counts of the rows that can be used, except `rows` and `refused`.

    Attributes
    ----------
    patients : patients, by site and number; rows without a number are in `without_patient`
    sites : rows by site, without those that name none
    joined_sites : the other spellings of a site, by the one that is used
    splits : rows by part, without those that name none
    sizes : smallest and largest size in mm, None without sizes
    """

    rows: int
    refused: int
    malignant: int
    benign: int
    without_label: int
    with_mask: int
    patients: int
    without_patient: int
    sites: dict[str, int]
    joined_sites: dict[str, tuple[str, ...]]
    splits: dict[str, int]
    with_size: int
    sizes: tuple[float, float] | None
    readers: tuple[str, ...]


@dataclass(frozen=True)
class RowGroup:
    """Lines that are refused or remarkable for the same reason."""

    lines: tuple[int, ...]
    images: tuple[str, ...]
    message: str

    @property
    def image_names(self) -> list[str]:
        """The images, each once, the first MAX_NAMES of them."""
        names = list(dict.fromkeys(name or "no image" for name in self.images))
        return [*names[:MAX_NAMES], "..."] if len(names) > MAX_NAMES else names

    @property
    def line_ranges(self) -> str:
        """The lines as `2-4, 9`, the first MAX_RANGES of them."""
        ranges = _ranges(self.lines)
        texts = [
            str(first) if first == last else f"{first}-{last}" for first, last in ranges
        ]
        if len(texts) > MAX_RANGES:
            texts = [*texts[:MAX_RANGES], "..."]
        return ", ".join(texts)


def summarise(manifest: Manifest) -> ManifestSummary:
    rows = manifest.rows
    labels = Counter(row.malignant for row in rows)
    sizes = [float(row.fields["size_mm"]) for row in rows if "size_mm" in row.fields]
    patients = {_patient_key(row) for row in rows if "patient" in row.fields}
    return ManifestSummary(
        rows=manifest.row_count,
        refused=len(manifest.refused),
        malignant=labels[True],
        benign=labels[False],
        without_label=labels[None],
        with_mask=sum(bool(row.mask_name) for row in rows),
        patients=len(patients),
        without_patient=sum("patient" not in row.fields for row in rows),
        sites=_counts(rows, "site"),
        joined_sites=manifest.joined_sites,
        splits=_counts(rows, "split"),
        with_size=len(sizes),
        sizes=(min(sizes), max(sizes)) if sizes else None,
        readers=tuple(dict.fromkeys(name for row in rows for name in row.readers)),
    )


def group_rows(
    rows: Iterable[tuple[int, str, str]],
) -> list[RowGroup]:
    """Group (line, image, message) by the message, in which an image's own name does not count."""
    lines: dict[str, list[int]] = {}
    images: dict[str, list[str]] = {}
    messages: dict[str, str] = {}
    for line, image, message in sorted(rows):
        key = message.replace(image, "\0") if image else message
        lines.setdefault(key, []).append(line)
        images.setdefault(key, []).append(image)
        messages.setdefault(key, message)
    return [
        RowGroup(
            lines=tuple(lines[key]), images=tuple(images[key]), message=messages[key]
        )
        for key in messages
    ]


def _counts(rows: Sequence[Row], column: str) -> dict[str, int]:
    return dict(Counter(row.fields[column] for row in rows if column in row.fields))


def _patient_key(row: Row) -> tuple[str, str]:
    return identity_key(row.fields.get("site", "")), identity_key(row.fields["patient"])


def _ranges(lines: Sequence[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], line)
        else:
            ranges.append((line, line))
    return ranges
