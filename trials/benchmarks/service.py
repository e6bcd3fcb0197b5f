"""Compares the throughput of the whole service with that of the bare model, in one run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/service.py \
        --dataset FOLDER --recipe light --cases 200

Both have the same images, bundle and batch size. The benchmark trains the recipe on
FOLDER/manifest.csv. It times the service from the first submission to the last result,
`Bundle.predict` on batches of `max_images`, and one case alone. Only ratios within one run mean
anything.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

from cli.commands.train import request_run
from cli.connection import ApiClient, address, connect, create_key
from cli.output.terminal import Console
from cli.output.training_progress import follow
from cli.work.dataset_import import import_rows
from cli.work.submission import CaseFile, submit_and_wait
from deploy.local import Stack
from shared.bundles import Bundle, load
from shared.bundles.storage import fetch
from shared.domain.datasets.manifest import read_manifest
from shared.domain.roles import Role
from shared.imaging import crop, decode
from shared.objects import open_store
from shared.settings import Settings

CLIENTS = 8
SINGLE_CASES = 10
"""Cases that are timed one by one."""


def main() -> None:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        Stack(Path(home), arguments.port, durable=True) as stack,
    ):
        settings = _settings(stack)
        images = [
            row.image.read_bytes() for row in read_manifest(arguments.dataset).rows
        ]
        images = list(islice(cycle(images), arguments.cases))
        digest = _train(settings, arguments.dataset, arguments.recipe)
        key = create_key(
            settings, Role.SUBMITTER, hospital="benchmark", label="benchmark"
        )
        api = ApiClient(address(settings), key)
        case_s = _median_s(lambda: _send(api, images[:1]))
        service_rate = arguments.cases / _measure_s(lambda: _send(api, images))
        objects = open_store(stack.objects_url)
        bundle = load(fetch(digest, objects, Path(home, "bench")))
        engine_rate = _engine_rate(bundle, images, settings.max_images)
        image_s = _median_s(lambda: _predict(bundle, images[:1]))
    print(f"engine  {engine_rate:8.2f} images/s in batches of {settings.max_images}")
    print(
        f"service {service_rate:8.2f} cases/s, {CLIENTS} clients; "
        f"ratio {service_rate / engine_rate:.2f}"
    )
    print(
        f"alone   {case_s * 1000:8.1f} ms submit to result; engine {image_s * 1000:.1f} "
        "ms for one image"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--recipe", default="light")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--port", type=int, default=18900)
    return parser.parse_args()


def _settings(stack: Stack) -> Settings:
    return Settings(
        home=stack.home.root,
        port=stack.port,
        database_url=stack.database_url,
        broker_url=stack.broker_url,
        objects_url=stack.objects_url,
    )


def _train(settings: Settings, folder: Path, recipe: str) -> str:
    with connect(Role.OPERATOR, settings) as api:
        api.post("/v1/datasets", json={"name": "benchmark"})
        list(import_rows(api, "benchmark", read_manifest(folder).rows))
        run = follow(api, request_run(api, "benchmark", recipe), Console(stderr=True))
        digest: str = run["model_digest"]
        api.post(f"/v1/models/{digest}/promote", json={})
        return digest


def _send(api: ApiClient, images: Sequence[bytes]) -> None:
    """Submit the images as cases and wait for all results."""
    files = [CaseFile(name="image.png", data=image, size_mm=12.0) for image in images]
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = list(pool.map(lambda file: submit_and_wait(api, file), files))
    failed_jobs = [job for job in jobs if job["state"] != "done"]
    if failed_jobs:
        raise SystemExit(
            f"{len(failed_jobs)} cases failed, the first with {failed_jobs[0]['reason']}"
        )


def _engine_rate(bundle: Bundle, images: Sequence[bytes], batch_size: int) -> float:
    """Images per second of the model alone."""

    def predict_all() -> None:
        for start in range(0, len(images), batch_size):
            _predict(bundle, images[start : start + batch_size])

    return len(images) / _measure_s(predict_all)


def _predict(bundle: Bundle, images: Sequence[bytes]) -> None:
    bundle.predict([crop(decode(image), None, bundle.framing) for image in images])


def _median_s(work: Callable[[], None]) -> float:
    return statistics.median(_measure_s(work) for _ in range(SINGLE_CASES))


def _measure_s(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
