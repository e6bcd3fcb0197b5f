"""Throughput of the whole service against the bare engine: the same images, bundle and batch size,
in one run.

PYTHONPATH=. .venv/bin/python trials/benchmarks/service.py --dataset FOLDER --recipe light --cases
200

Trains the recipe on FOLDER/manifest.csv, then times `Bundle.predict` on batches of `max_images`,
then the service from the first submission to the last result, and one case alone. Only ratios
within one run mean anything.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from cli.commands.train import request_run
from cli.connection import ApiClient, address, connect, create_key
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
ALONE = 10


def main() -> None:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        Stack(Path(home), arguments.port, durable=True) as stack,
    ):
        settings = _settings(stack)
        images = [row.image.read_bytes() for row in read_manifest(arguments.dataset)]
        images = (images * (arguments.cases // len(images) + 1))[: arguments.cases]
        digest = _train(settings, arguments.dataset, arguments.recipe)
        api = ApiClient(
            address(settings),
            create_key(settings, Role.SUBMITTER, "benchmark", "benchmark"),
        )
        alone = [_timed(lambda: _send(api, images[:1])) for _ in range(ALONE)]
        service = arguments.cases / _timed(lambda: _send(api, images))
        bundle = load(fetch(digest, open_store(stack.objects_url), Path(home, "bench")))
        engine = _engine_rate(bundle, images, settings.max_images)
        engine_alone = [
            _timed(lambda: _predict(bundle, images[:1])) for _ in range(ALONE)
        ]
    print(f"engine  {engine:8.2f} images/s in batches of {settings.max_images}")
    print(
        f"service {service:8.2f} cases/s, {CLIENTS} clients; ratio {service / engine:.2f}"
    )
    waited = statistics.median(alone)
    computed = statistics.median(engine_alone)
    print(
        f"alone   {waited * 1000:8.1f} ms submit to result; engine {computed * 1000:.1f} "
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
    urls = {
        "database_url": stack.database_url,
        "broker_url": stack.broker_url,
        "objects_url": stack.objects_url,
    }
    return Settings(home=stack.home.root, port=stack.port, **urls)


def _train(settings: Settings, folder: Path, recipe: str) -> str:
    with connect(Role.OPERATOR, settings) as api:
        api.post("/v1/datasets", json={"name": "benchmark"})
        list(import_rows(api, "benchmark", read_manifest(folder)))
        run = follow(api, request_run(api, "benchmark", recipe), Console(stderr=True))
        api.post(f"/v1/models/{run['model_digest']}/promote", json={})
        return run["model_digest"]


def _send(api: ApiClient, images: Sequence[bytes]) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = list(
            pool.map(
                lambda image: submit_and_wait(api, CaseFile("image.png", image, 12.0)),
                images,
            )
        )
    if failed := [job for job in jobs if job["state"] != "done"]:
        raise SystemExit(
            f"{len(failed)} cases failed, the first with {failed[0]['reason']}"
        )


def _engine_rate(bundle: Bundle, images: Sequence[bytes], batch: int) -> float:
    batches = [images[start : start + batch] for start in range(0, len(images), batch)]
    return len(images) / _timed(lambda: [_predict(bundle, each) for each in batches])


def _predict(bundle: Bundle, images: Sequence[bytes]) -> None:
    bundle.predict([crop(decode(image), None, bundle.framing) for image in images])


def _timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
