import pytest

from shared.statistics import ConfusionTable, tables_behind

# (accuracy, sensitivity, specificity) in per cent, as printed on the deck's L19 slide.
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


@pytest.mark.parametrize("row", READERS.values(), ids=READERS)
def test_the_decks_readers_fit_only_100_malignant_and_50_benign(row):
    assert tables_behind(*row, malignant=100, benign=50)
    assert not tables_behind(*row, malignant=50, benign=100)


@pytest.mark.parametrize("row", NETWORKS.values(), ids=NETWORKS)
def test_the_decks_networks_fit_only_50_positive_and_100_negative(row):
    assert tables_behind(*row, malignant=50, benign=100)
    assert not tables_behind(*row, malignant=100, benign=50)


def test_a_published_row_gives_back_its_table():
    assert tables_behind(82.67, 76, 96, malignant=100, benign=50) == (ConfusionTable(tp=76, fn=24, fp=2, tn=48),)
