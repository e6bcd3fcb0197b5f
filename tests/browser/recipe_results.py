"""Results with the names and the number of components that real recipes give, as a case of a stack.

The model of the stack is small and answers with short names. What is wide on a page is seen with
these.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psutil

from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Component
from shared.domain.results.result import ReadRoi, Result
from shared.domain.results.roi_source import RoiSource
from shared.ledger import Ledger
from shared.recipes import load_recipe
from tests.e2e.stage import Hospital, Stage
from tests.support.builders import result

RECIPES = ("light", "lee2019", "koh2020")
OUTLINE = tuple(
    (float(x), float(y))
    for x, y in ((40, 36), (60, 28), (84, 30), (104, 66), (96, 88), (80, 100), (44, 92))
)
"""An outline of SERA on an image of 128 x 128 pixels."""
WARNINGS = (
    Finding("calipers-removed", "Caliper marks were painted over."),
    Finding("multi-frame", "One frame was read.", {"frames": 24, "frame": 12}),
    Finding(
        "size-differs", "The size differs.", {"size_mm": 14.5, "measured_mm": 11.2}
    ),
)


def recipe_result(recipe_name: str, **changes: Any) -> Result:
    """A result with the components of a recipe's ensemble. `changes` are fields of it."""
    recipe = load_recipe(recipe_name)
    components = tuple(
        Component(
            network="+".join(
                recipe.features[i].network for i in component.feature_sets
            ),
            tap="+".join(recipe.features[i].tap for i in component.feature_sets),
            classifier=component.classifier.kind,
            probability=0.31 + 0.4 * (number % 3) / 3,
            prevalence=0.23,
        )
        for number, component in enumerate(
            recipe.select_components(recipe.fusion.members)
        )
    )
    answer = result(
        components=components,
        warnings=WARNINGS,
        roi=ReadRoi(box=(40, 28, 64, 72), source=RoiSource.READER, polygon=OUTLINE),
    )
    model = replace(answer.model, name=f"{recipe_name}-thyroid", version=3)
    return replace(answer, model=model, **changes)


@contextmanager
def suspended(worker: psutil.Process) -> Iterator[None]:
    """Suspend a worker for a time."""
    worker.suspend()
    try:
        yield
    finally:
        worker.resume()


def finish_case(
    stage: Stage,
    ledger: Ledger,
    hospital: Hospital,
    answer: Result,
    image: bytes,
    **fields: object,
) -> str:
    """Submit a case, and write this result in the place of the worker; returns the case's id."""
    with suspended(stage.process("worker")):
        receipt = hospital.accepted(image, **fields)
        job_id = UUID(receipt["job_id"])
        with ledger.system_session("test") as session:
            lease = session.queue.claim("test", 1, timedelta(minutes=1), 5)
            assert [job.id for job in lease.jobs] == [job_id]
            session.queue.finish(lease.token, answer.model.digest, {job_id: answer})
    return receipt["case_id"]
