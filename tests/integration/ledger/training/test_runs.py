import pytest

from shared.domain.training.states import Split
from shared.errors import NotFound
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.datasets.versions import fingerprint


def image(number, **facts):
    return LabelledImage(f"{number:064x}", bool(number % 2), Split.TRAIN, **facts)


def test_a_dataset_keeps_each_image_once(ledger):
    with ledger.system_session("test") as system:
        dataset = system.datasets.ensure("set")
        assert system.datasets.add(dataset, [image(1), image(2)]) == 2
        assert system.datasets.add(dataset, [image(2), image(3)]) == 1
        found = system.datasets.find("set")
        assert (found.images, found.malignant) == (3, 2)
        assert system.datasets.ensure("set") == dataset


def test_an_unknown_dataset_is_not_found(ledger):
    with pytest.raises(NotFound), ledger.system_session("test") as system:
        system.datasets.find("none")


def test_the_fingerprint_changes_with_a_label_and_not_with_the_order_of_adding(ledger):
    with ledger.system_session("test") as system:
        first_dataset = system.datasets.ensure("one")
        second_dataset = system.datasets.ensure("other")
        system.datasets.add(first_dataset, [image(1), image(2)])
        system.datasets.add(second_dataset, [image(2), image(1)])
        assert fingerprint(system.datasets.images(first_dataset)) == fingerprint(
            system.datasets.images(second_dataset)
        )
    assert fingerprint([image(1)]) != fingerprint([image(1, patient="p")])


def test_models_of_one_name_count_their_versions_and_the_last_promoted_is_live(ledger):
    with ledger.system_session("test") as system:
        assert (
            system.models.store(
                digest="a" * 64,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics={},
            )
            == 1
        )
        assert (
            system.models.store(
                digest="b" * 64,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics={},
            )
            == 2
        )
        assert (
            system.models.store(
                digest="a" * 64,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics={},
            )
            == 1
        )
        assert system.models.live_digest() is None
        for digest in ("b" * 64, "a" * 64):
            system.models.promote(digest, "test", "asked for by a test")
        assert system.models.live_digest() == "a" * 64
        assert system.models.find("light").version == 2
        assert system.models.find("light/1").live
        with pytest.raises(NotFound):
            system.models.promote("c" * 64, "test", None)
