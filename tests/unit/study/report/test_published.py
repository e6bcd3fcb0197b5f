import pytest

from shared.statistics import tables_behind
from shared.study.report.published import DECK_ROWS, LEE_2019, published_table

PRINTED = {
    "Faculty 1": (78, 91, 52),
    "Faculty 2": (82.67, 76, 96),
    "Resident 2": (66, 63, 72),
    "CNN 3": (94, 98, 86),
}


@pytest.mark.parametrize(("name", "rates"), PRINTED.items())
def test_the_counts_of_lee_et_al_give_the_rates_they_print(name, rates):
    assert tables_behind(*rates, malignant=100, benign=50) == (LEE_2019[name],)


def test_the_legend_is_right_about_the_decks_classes():
    for name, row in DECK_ROWS.items():
        rates = [
            float(text) for text in (row.accuracy, row.sensitivity, row.specificity)
        ]
        malignant, benign = (100, 50) if name.startswith("Radiologist") else (50, 100)
        assert tables_behind(*rates, malignant=malignant, benign=benign)
        assert not tables_behind(*rates, malignant=benign, benign=malignant)


def test_others_results_are_marked_as_of_other_data(made):
    rows = published_table(made).rows
    data = [row[1].text for row in rows]
    assert data == ["this study"] * 9 + ["published, other data"] * 23
    faculty = next(row for row in rows if row[0].text == "Faculty 1")
    assert faculty[4].text == "91.0"
    assert faculty[4].notes[0] == "logit 83.6–95.3"
