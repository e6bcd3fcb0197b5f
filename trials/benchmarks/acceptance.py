"""Measures the cost of decoding each image before its case is accepted, in one run.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.acceptance [--cases 60]

The benchmark starts a PostgreSQL of its own and accepts cases without HTTP: each image once
without and once with the check, in turn. It prints the median time of both, and how many cases a
second one hospital's four threads are accepted with it. Only ratios within one run mean anything.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from uuid import UUID

import cv2
import numpy as np
import pydicom
from pydicom.uid import JPEG2000Lossless

from shared.cases.accept import CaseAcceptance, Submission
from shared.cases.admission import Admission
from shared.cases.decoder_pool import DecoderPool, open_sandbox
from shared.cases.deidentification import Deidentifier
from shared.cases.intake import ImageIntake
from shared.cases.kept_previews import KeptPreviews, PreviewLimits
from shared.cases.pace import Pace
from shared.imaging.sandbox.checked import CheckedImage
from shared.ledger import Ledger
from shared.objects import open_store
from shared.observability import logs
from shared.phantoms import draw
from shared.queueing import CeleryNotifier
from shared.queueing.app import celery_app
from shared.settings import Settings
from tests.support.builders import dicom_file
from trials.benchmarks.engines import engine_settings

THREADS = 4
RATE_PER_MINUTE = 100_000


class UncheckingPool(DecoderPool):
    """Accepts every image unseen."""

    def check(
        self,
        data: bytes,
        *,
        frame: int | None,
        hospital_id: UUID | None,
        find_text: bool = False,
    ) -> CheckedImage:
        return CheckedImage(width=1, height=1)


def main() -> None:
    arguments = _arguments()
    logs.configure("benchmark", level="WARNING")
    with acceptances() as (without_check, with_check):
        for name, make_image in IMAGES.items():
            images = [make_image(seed) for seed in range(arguments.cases)]
            without_ms, with_ms = [], []
            for image in images:
                without_ms.append(_measure_ms(partial(without_check, image)))
                with_ms.append(_measure_ms(partial(with_check, image)))
            without, checked = map(statistics.median, (without_ms, with_ms))
            fresh = [make_image(10_000 + seed) for seed in range(arguments.cases)]
            with ThreadPoolExecutor(THREADS) as threads:
                wall_ms = _measure_ms(partial(_accept_all, threads, with_check, fresh))
            print(
                f"{name:24} without {without:6.1f} ms, with {checked:6.1f} ms, "
                f"ratio {checked / without:.2f}; "
                f"{1000 * len(fresh) / wall_ms:5.1f} cases/s from {THREADS} threads"
            )


@contextmanager
def acceptances() -> Iterator[tuple[Callable[[bytes], object], ...]]:
    """Two ways to accept an image, without and with the check."""
    with engine_settings(rate_per_minute=RATE_PER_MINUTE) as settings:
        ledger = Ledger(settings.database)
        pools = [
            UncheckingPool(open_sandbox(settings)),
            DecoderPool(open_sandbox(settings)),
        ]
        deidentifiers = [Deidentifier(ledger, pool) for pool in pools]
        with ledger.system_session("benchmark") as session:
            hospital_id = session.hospitals.ensure("benchmark")
        yield tuple(
            partial(
                _accept,
                ledger,
                hospital_id,
                _acceptance(settings, ledger, deidentifier, pool),
            )
            for deidentifier, pool in zip(deidentifiers, pools, strict=True)
        )
        for deidentifier in deidentifiers:
            deidentifier.close()
        for pool in pools:
            pool.close()
        ledger.close()


def _acceptance(
    settings: Settings, ledger: Ledger, deidentifier: Deidentifier, pool: DecoderPool
) -> CaseAcceptance:
    intake = ImageIntake(open_store(settings.objects), deidentifier, pool)
    return CaseAcceptance(
        intake=intake,
        kept_previews=KeptPreviews(intake, PreviewLimits.from_settings(settings)),
        admission=Admission(ledger, settings, Pace(ledger)),
        notifier=CeleryNotifier(celery_app(settings.broker)),
        max_upload_bytes=settings.max_upload_bytes,
    )


def _accept(
    ledger: Ledger, hospital_id: UUID, acceptance: CaseAcceptance, image: bytes
) -> None:
    submission = Submission(image=BytesIO(image), size_mm=12)
    with ledger.hospital_session(hospital_id, "benchmark") as session:
        acceptance.accept(submission, session)


def _accept_all(
    threads: ThreadPoolExecutor, accept: Callable[[bytes], object], images: list[bytes]
) -> None:
    for _ in threads.map(accept, images):
        pass


def _measure_ms(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def _picture(seed: int, height: int, suffix: str) -> bytes:
    pixels = cv2.resize(draw(seed, size_px=256).pixels, (height * 4 // 3, height))
    return cv2.imencode(suffix, pixels)[1].tobytes()


def _jpeg2000(seed: int) -> bytes:
    pixels = cv2.resize(draw(seed, size_px=256).pixels, (800, 600))
    dataset = pydicom.dcmread(BytesIO(dicom_file(pixels.astype(np.uint8))))
    dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


IMAGES: dict[str, Callable[[int], bytes]] = {
    "PNG 400 x 300": partial(_picture, height=300, suffix=".png"),
    "PNG 1024 x 768": partial(_picture, height=768, suffix=".png"),
    "JPEG 1600 x 1200": partial(_picture, height=1200, suffix=".jpg"),
    "DICOM JPEG 2000 800 x 600": _jpeg2000,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    main()
