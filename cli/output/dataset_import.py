"""What an import, or a dry run of it, prints: as JSON and in sentences."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cli.output.terminal import Console, print_json
from cli.work.dataset_import import RowOutcome
from shared.domain.datasets.manifest import Manifest
from shared.domain.datasets.summary import group_rows, summarise
from shared.domain.datasets.table_text import Encoding
from shared.errors import SeraError

MAX_THUMBNAILS = 12
DELIMITER_WORDS = {
    ",": "comma-separated",
    ";": "semicolon-separated",
    "\t": "tab-separated",
    "|": "separated by vertical bars",
}


def import_summary(
    folder: Path,
    manifest: Manifest,
    outcomes: list[RowOutcome],
    warnings: list[dict[str, Any]],
    dataset: dict[str, Any],
) -> dict[str, Any]:
    """Return the result of an import as JSON, in the order of the manifest."""
    added = 0
    refusals: list[tuple[int, str, SeraError]] = [
        (row.line, row.name, row.error) for row in manifest.refused
    ]
    for row, outcome in outcomes:
        if isinstance(outcome, SeraError):
            image = os.path.relpath(row.image, folder)
            refusals.append((row.line, image, outcome))
        elif outcome is True:
            added += 1
    refusals.sort(key=lambda refusal: refusal[0])
    summary: dict[str, Any] = {
        "dataset": dataset["name"],
        "added": added,
        "known": manifest.row_count - added - len(refusals),
        "refused": [
            {"line": line, "image": image, "code": error.code, "message": str(error)}
            for line, image, error in refusals
        ],
        "warnings": sorted(warnings, key=lambda warning: warning["line"]),
        "images": dataset["images"],
        "malignant": dataset["malignant"],
    }
    if manifest.ignored_columns:
        summary["ignored_columns"] = list(manifest.ignored_columns)
    return summary


def import_sentences(summary: dict[str, Any], manifest: Manifest) -> list[str]:
    refused = summary["refused"]
    sentences = [
        (
            f"{summary['dataset']}: {summary['added']} new, {summary['known']} already "
            f"there, {len(refused)} refused."
        ),
        f"It holds {', '.join(image_counts(summary))}.",
    ]
    if is_unusual(manifest):
        sentences.append(f"The table was read as {table_format(manifest)}.")
    return [
        *sentences,
        *joined_sentences(manifest.joined_sites),
        *ignored_sentences(manifest),
        *row_sentences(refused),
        *warning_sentences(summary["warnings"]),
    ]


def report_trial(
    summary: dict[str, Any],
    pictures: list[dict[str, Any]],
    picture_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print the result of a dry run, and write the picture of the first images."""
    # Imported here because OpenCV takes as long to import as everything else together.
    from cli.output.thumbnails import Thumbnail, contact_sheet, sketch_lines

    pictures = sorted(pictures, key=lambda picture: picture["line"])
    thumbnails = [Thumbnail.from_json(values) for values in pictures[:MAX_THUMBNAILS]]
    if picture_file is not None:
        picture_file.write_bytes(contact_sheet(thumbnails))
    if as_json:
        print_json(summary)
        return
    print_lines(trial_sentences(summary))
    print_lines(sketch_lines(thumbnails))
    if picture_file is not None:
        print_lines([f"The first images as a picture: {picture_file}"])


def trial_sentences(summary: dict[str, Any]) -> list[str]:
    """Return the result of a dry run in words."""
    table = summary["table"]
    refused = summary["refused"]
    sentences = [
        f"Dry run: nothing was changed. The table was read as {table['format']}: "
        f"{table['rows']} rows on {table['lines']} lines.",
        f"Classes: {table['malignant']} malignant, {table['benign']} benign, "
        f"{table['without_label']} without a label.",
        f"Patients: {table['patients']}; {table['without_patient']} rows name none.",
        f"Sites: {counts_phrase(table['sites'])}.",
        f"Parts: {counts_phrase(table['splits'])}.",
        f"Sizes: {sizes_phrase(table)}. Masks: {table['with_mask']}.",
    ]
    sentences += joined_sentences(table["joined_sites"])
    if table["ignored_columns"]:
        sentences.append(ignored_sentence(table["ignored_columns"]))
    sentences.append(
        f"{summary['dataset']} would get {summary['added']} new images; {summary['known']} are "
        f"already there, {len(refused)} would be refused."
    )
    return [
        *sentences,
        *row_sentences(refused),
        *warning_sentences(summary["warnings"]),
    ]


def table_facts(manifest: Manifest) -> dict[str, Any]:
    """Return what a manifest holds as JSON."""
    summary = summarise(manifest)
    return {
        "format": table_format(manifest),
        "encoding": manifest.encoding,
        "delimiter": manifest.delimiter,
        "lines": manifest.line_count,
        "ignored_columns": list(manifest.ignored_columns),
        **asdict(summary),
    }


def joined_sentences(joined_sites: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which spellings of a site count as one."""
    if not joined_sites:
        return []
    sites = [" = ".join((site, *texts)) for site, texts in joined_sites.items()]
    return [f"Sites read as one: {'; '.join(sites)}."]


def table_format(manifest: Manifest) -> str:
    delimiter = DELIMITER_WORDS[manifest.delimiter]
    words = f" ({manifest.sample})" if manifest.sample else ""
    return f"{manifest.encoding}{words}, {delimiter}"


def is_unusual(manifest: Manifest) -> bool:
    """Whether a table is not what a person expects, so that the import says how it was read."""
    return manifest.encoding is not Encoding.UTF8 or manifest.delimiter != ","


def ignored_sentences(manifest: Manifest) -> list[str]:
    return (
        [ignored_sentence(manifest.ignored_columns)] if manifest.ignored_columns else []
    )


def ignored_sentence(columns: Sequence[str]) -> str:
    return f"Ignored columns: {', '.join(columns)}."


def warning_sentences(warnings: list[dict[str, Any]]) -> list[str]:
    if not warnings:
        return []
    return ["Check these images and masks:", *row_sentences(warnings)]


def row_sentences(rows: list[dict[str, Any]]) -> list[str]:
    """Return refused or remarkable rows in words; equal ones are one line with their number."""
    groups = group_rows((row["line"], row["image"], row["message"]) for row in rows)
    sentences = []
    for group in groups:
        if len(group.lines) == 1:
            lines = f"line {group.lines[0]} ({group.images[0]})"
        else:
            names = ", ".join(group.image_names)
            lines = f"{len(group.lines)} rows, lines {group.line_ranges} ({names})"
        sentences.append(f"  {lines}: {group.message}")
    return sentences


def counts_phrase(counts: dict[str, int]) -> str:
    if not counts:
        return "none named"
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def sizes_phrase(table: dict[str, Any]) -> str:
    if not table["sizes"]:
        return "none given"
    smallest, largest = table["sizes"]
    return f"{table['with_size']} rows, {smallest:g} to {largest:g} mm"


def print_lines(lines: Sequence[str]) -> None:
    Console().print("\n".join(lines), soft_wrap=True, markup=False, highlight=False)


def image_counts(dataset: dict[str, Any]) -> tuple[str, str]:
    noun = "image" if dataset["images"] == 1 else "images"
    return f"{dataset['images']} {noun}", f"{dataset['malignant']} malignant"
