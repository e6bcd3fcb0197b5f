import pytest

from shared.domain.training.states import Split
from shared.errors import NotFound
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.datasets.versions import fingerprint


def image(number, **facts):
    return LabelledImage(f"{number:064x}", bool(number % 2), Split.TRAIN, **facts)


def test_a_dataset_keeps_each_image_once(ledger):
    with ledger.system_session("test") as house:
        dataset = house.datasets.ensure("set")
        assert house.datasets.add(dataset, [image(1), image(2)]) == 2
        assert house.datasets.add(dataset, [image(2), image(3)]) == 1
        found = house.datasets.find("set")
        assert (found.images, found.malignant) == (3, 2)
        assert house.datasets.ensure("set") == dataset


def test_an_unknown_dataset_is_not_found(ledger):
    with pytest.raises(NotFound), ledger.system_session("test") as house:
        house.datasets.find("none")


def test_the_fingerprint_changes_with_a_label_and_not_with_the_order_of_adding(ledger):
    with ledger.system_session("test") as house:
        one = house.datasets.ensure("one")
        other = house.datasets.ensure("other")
        house.datasets.add(one, [image(1), image(2)])
        house.datasets.add(other, [image(2), image(1)])
        assert fingerprint(house.datasets.images(one)) == fingerprint(
            house.datasets.images(other)
        )
    assert fingerprint([image(1)]) != fingerprint([image(1, patient="p")])


def test_models_of_one_name_count_their_versions_and_the_last_promoted_is_live(ledger):
    with ledger.system_session("test") as house:
        assert house.models.store("a" * 64, "light", "light", None, False, {}) == 1
        assert house.models.store("b" * 64, "light", "light", None, False, {}) == 2
        assert house.models.store("a" * 64, "light", "light", None, False, {}) == 1
        assert house.models.live_digest() is None
        for digest in ("b" * 64, "a" * 64):
            house.models.promote(digest, "test", "asked for by a test")
        assert house.models.live_digest() == "a" * 64
        assert house.models.find("light").version == 2
        assert house.models.find("light/1").live
        with pytest.raises(NotFound):
            house.models.promote("c" * 64, "test", None)
