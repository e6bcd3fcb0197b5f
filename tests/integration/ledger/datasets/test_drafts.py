from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shared.domain.audit.events import Event
from shared.domain.training.states import Split
from shared.ledger.datasets.drafts import (
    AddStatus,
    ImageDiffers,
    ImageUnknown,
    PartFrozen,
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
    with ledger.system_session("test") as system:
        return system.datasets.ensure(request.node.name)


@pytest.fixture
def parts(ledger, dataset):
    """Which part each image of the draft is in, by its number."""

    def found():
        with ledger.system_session("test") as system:
            return {
                int(row.image_sha256, 16): row.split
                for row in system.datasets.images(dataset)
            }

    return found


def changes(system, dataset):
    """Details of what was recorded of the dataset."""
    entries = [
        entry
        for entry in system.audit.page(limit=1000)
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


OTHER_VALUES = {
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
    differing = [replace(FULL, **change) for change in OTHER_VALUES.values()]
    with ledger.system_session("test") as system:
        first, *refused, last = system.drafts.add(dataset, [FULL, *differing, image(2)])
        assert (first, last) == (AddStatus.ADDED, AddStatus.ADDED)
        assert [refusal.code for refusal in refused] == list(OTHER_VALUES)
        assert system.datasets.images(dataset)[0] == FULL


def test_what_is_left_out_says_nothing_against_the_image_that_is_there(ledger, dataset):
    with ledger.system_session("test") as system:
        assert system.drafts.add(dataset, [FULL, image(1)]) == [
            AddStatus.ADDED,
            AddStatus.PRESENT,
        ]


def test_adding_stops_at_a_contradiction_and_adds_nothing(ledger, dataset):
    with (
        pytest.raises(ImageDiffers, match=r"another label \(malignant\)"),
        ledger.system_session("test") as system,
    ):
        system.datasets.add(dataset, [image(2), image(1), image(1, malignant=False)])
    with ledger.system_session("test") as system:
        assert system.datasets.images(dataset) == []


def test_only_comparing_adds_nothing(ledger, dataset):
    with ledger.system_session("test") as system:
        system.drafts.add(dataset, [image(1)])
        present, differs, unknown = system.drafts.compare(
            dataset, [image(1), image(1, malignant=False), image(2)]
        )
        assert (present, differs.code, unknown.code) == (
            AddStatus.PRESENT,
            "label-differs",
            "image-unknown",
        )
        assert len(system.datasets.images(dataset)) == 1


def test_a_correction_is_written_and_recorded(ledger, dataset):
    with ledger.system_session("test") as system:
        system.drafts.add(dataset, [image(1, site="north")])
        changed = system.drafts.change(
            dataset, image(1).image_sha256, {"malignant": False, "site": None}
        )
        assert (changed.malignant, changed.site) == (False, None)
        assert system.datasets.images(dataset) == [changed]
        system.drafts.change(dataset, image(1).image_sha256, {"malignant": False})
        added, corrected = changes(system, dataset)
        assert (added["change"], corrected["change"]) == ("added", "corrected")
        assert corrected["columns"] == ["malignant", "site"]


def test_a_row_is_removed_and_recorded_and_may_come_again(ledger, dataset):
    with ledger.system_session("test") as system:
        system.drafts.add(dataset, [image(1)])
        system.drafts.remove(dataset, image(1).image_sha256)
        assert system.datasets.images(dataset) == []
        assert system.drafts.add(dataset, [image(1, malignant=False)]) == [
            AddStatus.ADDED
        ]
        assert [change["change"] for change in changes(system, dataset)] == [
            "added",
            "removed",
            "added",
        ]


def test_an_image_that_is_not_there_is_neither_corrected_nor_removed(ledger, dataset):
    for act in (
        lambda drafts: drafts.remove(dataset, "a" * 64),
        lambda drafts: drafts.change(dataset, "a" * 64, {}),
    ):
        with pytest.raises(ImageUnknown), ledger.system_session("test") as system:
            act(system.drafts)


def test_an_image_is_for_training_unless_its_patient_is_in_test(ledger, dataset, parts):
    with ledger.system_session("test") as system:
        system.drafts.add(
            dataset,
            [image(1, TEST, patient="p"), image(2, patient="p"), image(3, patient="q")],
        )
        system.drafts.add(
            dataset,
            [image(4, patient="p"), image(5), image(6, patient="p", site="other")],
        )
    assert parts() == {1: TEST, 2: TEST, 3: TRAIN, 4: TEST, 5: TRAIN, 6: TRAIN}


def test_a_patient_of_a_frozen_version_brings_new_images_into_the_same_part(
    ledger, dataset, parts
):
    with ledger.system_session("test") as system:
        system.drafts.add(
            dataset,
            [
                image(1, TEST, patient="p", site="n"),
                image(2, TRAIN, patient="q", site="n"),
            ],
        )
        system.versions.freeze(dataset)
        for number in (1, 2):
            system.drafts.remove(dataset, image(number).image_sha256)
        new = [
            image(3, patient="p", site="n"),
            image(4, patient="q", site="n"),
            image(5, patient="p", site="s"),
        ]
        system.drafts.add(dataset, new)
        (refused,) = system.drafts.add(
            dataset, [image(6, TRAIN, patient="p", site="n")]
        )
        assert (refused.code, "send test" in str(refused)) == ("split-frozen", True)
        system.drafts.add(dataset, [image(1, patient="p", site="n")])
    assert parts() == {1: TEST, 3: TEST, 4: TRAIN, 5: TRAIN}


def test_a_frozen_image_keeps_its_part_whatever_is_asked(ledger, dataset, parts):
    with ledger.system_session("test") as system:
        system.drafts.add(
            dataset, [image(n, TEST if n < 3 else TRAIN, site="n") for n in range(9)]
        )
        system.versions.freeze(dataset)
        parts_before = {
            int(row.image_sha256, 16): row.split
            for row in system.datasets.images(dataset)
        }
        system.drafts.split_by_patient(dataset, 0.9, 1)
        parted = system.drafts.split_by_site(dataset, ["n"])
        assert (parted.moved, parted.fixed, parted.overruled) == (0, 9, 6)
    with pytest.raises(PartFrozen), ledger.system_session("test") as system:
        system.drafts.change(dataset, image(1).image_sha256, {"split": TRAIN})
    assert parts() == parts_before


def test_a_corrected_patient_brings_the_image_to_the_patients_part(
    ledger, dataset, parts
):
    with ledger.system_session("test") as system:
        system.drafts.add(
            dataset,
            [
                image(1, TEST, patient="p"),
                image(2, TRAIN, patient="q"),
                image(3, TRAIN),
            ],
        )
        system.drafts.change(dataset, image(3).image_sha256, {"patient": "p"})
    assert parts() == {1: TEST, 2: TRAIN, 3: TEST}


def test_a_split_by_patient_draws_whole_patients_of_both_labels(ledger, dataset, parts):
    rows = [
        image(n, patient=f"p{n // 4}" if n < 1160 else None, malignant=n % 8 < 4)
        for n in range(1000, 1200)
    ]
    with ledger.system_session("test") as system:
        system.drafts.add(dataset, rows)
        parted = system.drafts.split_by_patient(dataset, 0.2, 0)
        assert parted.moved == parted.test == 200 - parted.train
        assert abs(parted.test - 40) <= 4
        system.versions.freeze(dataset)
        repeated = system.drafts.split_by_patient(dataset, 0.2, 0)
        assert (repeated.moved, repeated.fixed) == (0, 200)
        assert [change["change"] for change in changes(system, dataset)] == [
            "added",
            "split",
        ]
    found = parts()
    assert all(
        len({found[4 * patient + number] for number in range(4)}) == 1
        for patient in range(250, 290)
    )


def test_a_split_by_site_holds_whole_sites_back(ledger, dataset, parts):
    with ledger.system_session("test") as system:
        sites = ["north", "south", None]
        system.drafts.add(
            dataset,
            [image(n, TEST, site=sites[n % 3], patient=f"p{n}") for n in range(9)],
        )
        system.drafts.split_by_site(dataset, ["south"])
        assert system.datasets.split_counts(dataset) == [
            SplitCount("train", "north", 3, 1),
            SplitCount("train", None, 3, 1),
            SplitCount("test", "south", 3, 2),
        ]
    assert [number for number, part in parts().items() if part == TEST] == [1, 4, 7]


def test_an_unknown_site_is_named_beside_the_known_ones(ledger, dataset):
    with ledger.system_session("test") as system:
        system.drafts.add(dataset, [image(1, site="north")])
        with pytest.raises(SiteUnknown, match=r"'west'.*north"):
            system.drafts.split_by_site(dataset, ["west"])


def test_two_who_add_the_same_images_at_once_add_each_once(ledger, dataset):
    def add(_):
        with ledger.system_session("test") as system:
            return system.drafts.add(dataset, [image(n) for n in range(40)]).count(
                AddStatus.ADDED
            )

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [0, 0, 0, 40]
