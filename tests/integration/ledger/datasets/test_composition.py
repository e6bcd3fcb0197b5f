import pytest

from shared.domain.training.states import Split
from shared.ledger.datasets.composition import CompositionGroup, Grouping
from shared.ledger.datasets.repository import LabelledImage


@pytest.fixture
def dataset(ledger):
    rows = [
        ("a", True, Split.TRAIN, "north", "p1", 8.0),
        ("b", True, Split.TRAIN, "north", "p1", 10.0),
        ("c", False, Split.TRAIN, "north", "p2", 45.0),
        ("d", False, Split.TEST, None, None, None),
    ]
    images = [
        LabelledImage(
            sha * 64, malignant, split, site=site, patient=patient, size_mm=size
        )
        for sha, malignant, split, site, patient, size in rows
    ]
    with ledger.system_session("test") as system:
        dataset = system.datasets.ensure("parts")
        system.datasets.add(dataset, images)
    return dataset


def test_a_draft_and_its_version_are_counted_by_part_site_and_size(ledger, dataset):
    with ledger.system_session("test") as system:
        draft = system.compositions.of_draft(dataset)
        frozen = system.compositions.of_version(system.versions.freeze(dataset).id)
    assert draft[Grouping.ALL] == [CompositionGroup("all", 4, 2, 3)]
    assert draft[Grouping.SPLIT] == [
        CompositionGroup("test", 1, 0, 1),
        CompositionGroup("train", 3, 2, 2),
    ]
    assert draft[Grouping.SITE] == [
        CompositionGroup("north", 3, 2, 2),
        CompositionGroup(None, 1, 0, 1),
    ]
    assert [(part.name, part.images, part.benign) for part in draft[Grouping.SIZE]] == [
        ("under-10", 1, 0),
        ("10-20", 1, 0),
        ("over-40", 1, 1),
        ("unknown", 1, 1),
    ]
    assert frozen == draft
