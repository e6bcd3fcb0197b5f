"""Times the outlines of previews at a running SERA, from the request to the answer.

    python -m trials.benchmarks.proposals FOLDER --url http://127.0.0.1:8000 --key KEY [--images N]

FOLDER has labelled images with masks. Each image becomes a kept preview, whose outlines are asked
for one after another: found by SERA, in the box of the mask, for the polygon that was answered, and
at two points. Each request waits for its answer, and each has to be drawn.
"""

import argparse
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import httpx2
import numpy as np

from shared.domain.datasets.manifest import read_manifest
from shared.imaging import Roi, parse_prompt
from shared.imaging.files import read_marked_image

IMAGES = 10
WAIT_S = 30


def main(client: httpx2.Client, folder: Path, images: int) -> None:
    seconds_by_kind: dict[str, list[float]] = {}
    rows = [row for row in read_manifest(folder).rows if row.mask]
    for row in rows[:images]:
        mark = read_marked_image(row.image, mask=row.mask).roi
        if mark is None:
            continue
        link = _keep(client, row.image)
        for kind, seconds in _times_s(client, link, mark).items():
            seconds_by_kind.setdefault(kind, []).append(seconds)
    for kind, kind_seconds in seconds_by_kind.items():
        middle, high = np.quantile(kind_seconds, [0.5, 0.95]) * 1000
        print(f"{kind}: {middle:.0f} ms (95 % up to {high:.0f}) of {len(kind_seconds)}")


def _keep(client: httpx2.Client, image: Path) -> str:
    """Keep a preview; returns the address of its outlines."""
    answer = client.post(
        "/v1/previews", data={"keep": "true"}, files={"image": image.read_bytes()}
    )
    answer.raise_for_status()
    link: str = answer.json()["links"]["outlines"]
    return link


def _times_s(client: httpx2.Client, link: str, mark: Roi) -> Mapping[str, float]:
    """Return the time in seconds of each kind of request."""
    left, top, width, height = mark.real_box
    box = {"box": [left, top, width, height]}
    middle = (left + width / 2, top + height / 2)
    times_s: dict[str, float] = {}
    times_s["no ROI"], _ = _ask(client, link, None)
    times_s["box"], outlines = _ask(client, link, box)
    polygon = {"polygon": outlines[0]["polygon"]}
    times_s["polygon"], _ = _ask(client, link, polygon)
    times_s["click"], _ = _ask(client, link, {"point": middle})
    beside = (middle[0] + width / 8, middle[1])
    times_s["second click"], _ = _ask(client, link, {"point": beside})
    return times_s


def _ask(
    client: httpx2.Client, link: str, prompt: Mapping[str, object] | None
) -> tuple[float, list[dict[str, object]]]:
    """Return the time until the answer in seconds, and the outlines."""
    query: dict[str, str] = {"wait": str(WAIT_S)}
    if prompt is not None:
        query["roi"] = parse_prompt(json.dumps(prompt)).to_json()
    start = time.perf_counter()
    answer = client.get(link, params=query)
    seconds = time.perf_counter() - start
    if answer.status_code != HTTPStatus.OK:
        raise SystemExit(f"{link} answered {answer.status_code}: {answer.text}")
    outlines: list[dict[str, object]] = answer.json()["outlines"]
    return seconds, outlines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", required=True)
    parser.add_argument("--images", type=int, default=IMAGES)
    arguments = parser.parse_args()
    headers = {"Authorization": f"Bearer {arguments.key}"}
    with httpx2.Client(
        base_url=arguments.url, headers=headers, timeout=2 * WAIT_S
    ) as http_client:
        main(http_client, arguments.folder, arguments.images)
