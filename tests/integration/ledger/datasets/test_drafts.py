from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shared.domain.audit.events import Event
from shared.domain.training.states import Split
from shared.ledger.datasets.drafts import (
    ImageDiffers,
    ImageUnknown,
    PartFrozen,
    AddStatus,
    SiteUnknown,
)
from shared.ledger.datasets.repository import LabelledImage, SplitCount

TRAIN = Split.TRAIN
TEST = Split.TEST


def image(number, split=None, **facts):
    return LabelledImage(
        f"{number:064x}", facts.pop("malignant", bool(number % 2)), split, **facts
    )


@pytest.fixture
def dataset(ledger, request):
    with ledger.system_session("test") as house:
        return house.datasets.ensure(request.node.name)


@pytest.fixture
def parts(ledger, dataset):
    """Which part each image of the draft is in, by its number."""

    def found():
        with ledger.system_session("test") as house:
            return {
                int(row.image_sha256, 16): row.split
                for row in house.datasets.images(dataset)
            }

    return found


def changes(house, dataset):
    """Details of what was recorded of the dataset."""
    entries = [
        entry
        for entry in house.audit.page(limit=1000)
        if entry.details.get("dataset") == str(dataset)
    ]
    return [entry.details for entry in entries if entry.event == Event.DATASET_CHANGED]


FULL = image(
    1,
    TRAIN,
    mask_sha256="m",
    roi={"box": [1, 2, 30, 40]},
    frame=2,
    patient="p",
    site="n",
    size_mm=9.0,
    tirads="4",
)


OTHER = {
    "label-differs": {"malignant": False},
    "mask-differs": {"mask_sha256": "another"},
    "roi-differs": {"roi": {"box": [1, 2, 30, 41]}},
    "frame-differs": {"frame": 3},
    "patient-differs": {"patient": "q"},
    "site-differs": {"site": "s"},
    "split-differs": {"split": TEST},
    "size-differs": {"size_mm": 9.5},
    "tirads-differs": {"tirads": "5"},
}


def test_the_same_image_with_another_fact_is_refused_by_name_and_changes_nothing(
    ledger, dataset
):
    others = [replace(FULL, **other) for other in OTHER.values()]
    with ledger.system_session("test") as house:
        first, *refused, last = house.drafts.add(dataset, [FULL, *others, image(2)])
        assert (first, last) == (AddStatus.ADDED, AddStatus.ADDED)
        assert [refusal.code for refusal in refused] == list(OTHER)
        assert house.datasets.images(dataset)[0] == FULL


def test_what_is_left_out_says_nothing_against_the_image_that_is_there(ledger, dataset):
    with ledger.system_session("test") as house:
        assert house.drafts.add(dataset, [FULL, image(1)]) == [
            AddStatus.ADDED,
            AddStatus.PRESENT,
        ]


def test_adding_stops_at_a_contradiction_and_adds_nothing(ledger, dataset):
    with (
        pytest.raises(ImageDiffers, match=r"another label \(malignant\)"),
        ledger.system_session("test") as house,
    ):
        house.datasets.add(dataset, [image(2), image(1), image(1, malignant=False)])
    with ledger.system_session("test") as house:
        assert house.datasets.images(dataset) == []


def test_only_comparing_adds_nothing(ledger, dataset):
    with ledger.system_session("test") as house:
        house.drafts.add(dataset, [image(1)])
        known, differs, unknown = house.drafts.compare(
            dataset, [image(1), image(1, malignant=False), image(2)]
        )
        assert (known, differs.code, unknown.code) == (
            AddStatus.PRESENT,
            "label-differs",
            "image-unknown",
        )
        assert len(house.datasets.images(dataset)) == 1


def test_a_correction_is_written_and_recorded(ledger, dataset):
    with ledger.system_session("test") as house:
        house.drafts.add(dataset, [image(1, site="north")])
        changed = house.drafts.change(
            dataset, image(1).image_sha256, {"malignant": False, "site": None}
        )
        assert (changed.malignant, changed.site) == (False, None)
        assert house.datasets.images(dataset) == [changed]
        house.drafts.change(dataset, image(1).image_sha256, {"malignant": False})
        added, corrected = changes(house, dataset)
        assert (added["change"], corrected["change"]) == ("added", "corrected")
        assert corrected["columns"] == ["malignant", "site"]


def test_a_row_is_removed_and_recorded_and_may_come_again(ledger, dataset):
    with ledger.system_session("test") as house:
        house.drafts.add(dataset, [image(1)])
        house.drafts.remove(dataset, image(1).image_sha256)
        assert house.datasets.images(dataset) == []
        assert house.drafts.add(dataset, [image(1, malignant=False)]) == [
            AddStatus.ADDED
        ]
        assert [each["change"] for each in changes(house, dataset)] == [
            "added",
            "removed",
            "added",
        ]


def test_an_image_that_is_not_there_is_neither_corrected_nor_removed(ledger, dataset):
    for act in (
        lambda drafts: drafts.remove(dataset, "a" * 64),
        lambda drafts: drafts.change(dataset, "a" * 64, {}),
    ):
        with pytest.raises(ImageUnknown), ledger.system_session("test") as house:
            act(house.drafts)


def test_an_image_is_for_training_unless_its_patient_is_in_test(ledger, dataset, parts):
    with ledger.system_session("test") as house:
        house.drafts.add(
            dataset,
            [image(1, TEST, patient="p"), image(2, patient="p"), image(3, patient="q")],
        )
        house.drafts.add(
            dataset,
            [image(4, patient="p"), image(5), image(6, patient="p", site="other")],
        )
    assert parts() == {1: TEST, 2: TEST, 3: TRAIN, 4: TEST, 5: TRAIN, 6: TRAIN}


def test_a_patient_of_a_frozen_version_brings_new_images_into_the_same_part(
    ledger, dataset, parts
):
    with ledger.system_session("test") as house:
        house.drafts.add(
            dataset,
            [
                image(1, TEST, patient="p", site="n"),
                image(2, TRAIN, patient="q", site="n"),
            ],
        )
        house.versions.freeze(dataset)
        for number in (1, 2):
            house.drafts.remove(dataset, image(number).image_sha256)
        new = [
            image(3, patient="p", site="n"),
            image(4, patient="q", site="n"),
            image(5, patient="p", site="s"),
        ]
        house.drafts.add(dataset, new)
        (refused,) = house.drafts.add(
            dataset, [image(6, TRAIN, patient="p", site="n")]
        )
        assert (refused.code, "send test" in str(refused)) == ("split-frozen", True)
        house.drafts.add(dataset, [image(1, patient="p", site="n")])
    assert parts() == {1: TEST, 3: TEST, 4: TRAIN, 5: TRAIN}


def test_a_frozen_image_keeps_its_part_whatever_is_asked(ledger, dataset, parts):
    with ledger.system_session("test") as house:
        house.drafts.add(
            dataset, [image(n, TEST if n < 3 else TRAIN, site="n") for n in range(9)]
        )
        house.versions.freeze(dataset)
        before = {
            int(row.image_sha256, 16): row.split
            for row in house.datasets.images(dataset)
        }
        house.drafts.split_by_patient(dataset, 0.9, 1)
        parted = house.drafts.split_by_site(dataset, ["n"])
        assert (parted.moved, parted.fixed, parted.overruled) == (0, 9, 6)
    with pytest.raises(PartFrozen), ledger.system_session("test") as house:
        house.drafts.change(dataset, image(1).image_sha256, {"split": TRAIN})
    assert parts() == before


def test_a_corrected_patient_brings_the_image_to_the_patients_part(
    ledger, dataset, parts
):
    with ledger.system_session("test") as house:
        house.drafts.add(
            dataset,
            [
                image(1, TEST, patient="p"),
                image(2, TRAIN, patient="q"),
                image(3, TRAIN),
            ],
        )
        house.drafts.change(dataset, image(3).image_sha256, {"patient": "p"})
    assert parts() == {1: TEST, 2: TRAIN, 3: TEST}


def test_a_split_by_patient_draws_whole_patients_of_both_labels(ledger, dataset, parts):
    rows = [
        image(n, patient=f"p{n // 4}" if n < 1160 else None, malignant=n % 8 < 4)
        for n in range(1000, 1200)
    ]
    with ledger.system_session("test") as house:
        house.drafts.add(dataset, rows)
        parted = house.drafts.split_by_patient(dataset, 0.2, 0)
        assert parted.moved == parted.test == 200 - parted.train
        assert abs(parted.test - 40) <= 4
        house.versions.freeze(dataset)
        again = house.drafts.split_by_patient(dataset, 0.2, 0)
        assert (again.moved, again.fixed) == (0, 200)
        assert [each["change"] for each in changes(house, dataset)] == [
            "added",
            "split",
        ]
    found = parts()
    assert all(
        len({found[4 * patient + each] for each in range(4)}) == 1
        for patient in range(250, 290)
    )


def test_a_split_by_site_holds_whole_sites_back(ledger, dataset, parts):
    with ledger.system_session("test") as house:
        sites = ["north", "south", None]
        house.drafts.add(
            dataset,
            [image(n, TEST, site=sites[n % 3], patient=f"p{n}") for n in range(9)],
        )
        house.drafts.split_by_site(dataset, ["south"])
        assert house.datasets.split_counts(dataset) == [
            SplitCount("train", "north", 3, 1),
            SplitCount("train", None, 3, 1),
            SplitCount("test", "south", 3, 2),
        ]
    assert [number for number, part in parts().items() if part == TEST] == [1, 4, 7]


def test_an_unknown_site_is_named_beside_the_known_ones(ledger, dataset):
    with ledger.system_session("test") as house:
        house.drafts.add(dataset, [image(1, site="north")])
        with pytest.raises(SiteUnknown, match=r"'west'.*north"):
            house.drafts.split_by_site(dataset, ["west"])


def test_two_who_add_the_same_images_at_once_add_each_once(ledger, dataset):
    def add(_):
        with ledger.system_session("test") as house:
            return house.drafts.add(dataset, [image(n) for n in range(40)]).count(
                AddStatus.ADDED
            )

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [0, 0, 0, 40]
