"""The arithmetic of the papers' tables.

K20's P values need readings that are not published, so none is checked.
"""

import pytest

from shared.statistics import ConfusionTable, Measure, tables_behind

# Deck, slide of Lee et al. (2019): (accuracy, sensitivity, specificity) in per cent, as printed.
READERS = {
    "radiologist 1 by TIRADS": (87.3, 95, 72),
    "radiologist 2 by TIRADS": (80, 79, 82),
    "radiologist 1 by Kim": (84.7, 82, 90),
    "radiologist 2 by Kim": (80, 79, 82),
}
NETWORKS = {
    "AlexNet": (86.7, 88, 86),
    "OverFeat": (85.3, 84, 86),
    "VGG-F": (86, 84, 87),
    "VGG-19": (85.3, 74, 91),
    "ResNet-50": (84, 86, 83),
    "Inception-v3": (86.7, 78, 91),
}
# Lee et al., Sci Rep 9:19854 (2019), 100 malignant and 50 benign:
# counts, and the printed per cents.
L19 = {
    "Faculty 1": (ConfusionTable(91, 9, 24, 26), (78, 91, 52)),
    "Faculty 2": (ConfusionTable(76, 24, 2, 48), (82.67, 76, 96)),
    "Fellow 1": (ConfusionTable(63, 37, 3, 47), (73.33, 63, 94)),
    "Fellow 2": (ConfusionTable(65, 35, 4, 46), (74, 65, 92)),
    "Resident 1": (ConfusionTable(49, 51, 6, 44), (62, 49, 88)),
    "Resident 2": (ConfusionTable(63, 37, 14, 36), (66, 63, 72)),
    "CNN 1": (ConfusionTable(96, 4, 5, 45), (94, 96, 90)),
    "CNN 2": (ConfusionTable(94, 6, 3, 47), (94, 94, 94)),
    "CNN 3": (ConfusionTable(98, 2, 7, 43), (94, 98, 86)),
}
CLASSES = ((100, 50), (50, 100))


def possible(row):
    """The (malignant, benign) numbers that the row can come from."""
    return [
        classes
        for classes in CLASSES
        if tables_behind(*row, malignant=classes[0], benign=classes[1])
    ]


def test_the_deck_mixes_two_conventions_and_the_checker_finds_exactly_this():
    found = {name: possible(row) for name, row in (READERS | NETWORKS).items()}
    assert found == {name: [(100, 50)] for name in READERS} | {
        name: [(50, 100)] for name in NETWORKS
    }


@pytest.mark.parametrize("row", NETWORKS.values(), ids=NETWORKS)
def test_a_network_of_the_deck_took_benign_as_positive(row):
    """Its table over 50 positive cases is one over 100 malignant cases, classes exchanged."""
    accuracy, sensitivity, specificity = row
    (mirrored,) = tables_behind(*row, malignant=50, benign=100)
    (table,) = tables_behind(
        accuracy, specificity, sensitivity, malignant=100, benign=50
    )
    assert (table.tp, table.fn, table.fp, table.tn) == (
        mirrored.tn,
        mirrored.fp,
        mirrored.fn,
        mirrored.tp,
    )


@pytest.mark.parametrize(("table", "printed"), L19.values(), ids=L19)
def test_a_row_of_l19_gives_back_its_counts_and_only_those(table, printed):
    assert tables_behind(*printed, malignant=100, benign=50) == (table,)
    assert not tables_behind(*printed, malignant=50, benign=100) or printed == (
        94,
        94,
        94,
    )


@pytest.mark.parametrize(("table", "printed"), L19.values(), ids=L19)
def test_the_counts_of_l19_print_as_its_rates(table, printed):
    measures = (Measure.ACCURACY, Measure.SENSITIVITY, Measure.SPECIFICITY)
    assert [
        round(100 * table.proportion(measure).value, 2) for measure in measures
    ] == list(printed)


def test_a_row_that_no_whole_cases_give_is_impossible():
    assert not tables_behind(94, 95, 94, malignant=100, benign=50)
