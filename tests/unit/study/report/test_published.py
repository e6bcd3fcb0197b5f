import pytest

from shared.statistics import tables_behind
from shared.study.report.published import (
    DECK_ROWS,
    LEE_2019,
    NO_CLASSES,
    PrintedRates,
    possible_classes,
    published_table,
)

PRINTED = {
    "Faculty 1": (78, 91, 52),
    "Faculty 2": (82.67, 76, 96),
    "Resident 2": (66, 63, 72),
    "CNN 3": (94, 98, 86),
}


@pytest.mark.parametrize(("name", "rates"), PRINTED.items())
def test_the_counts_of_lee_et_al_give_the_rates_they_print(name, rates):
    assert tables_behind(*rates, malignant=100, benign=50) == (LEE_2019[name],)


def test_the_report_says_of_which_classes_a_published_row_can_be(fabricated):
    classes = {row[0].text: row[-1].text for row in published_table(fabricated).rows}
    assert classes["Faculty 1"] == "100 malignant, 50 benign"
    assert classes["CNNE2, internal test"] == "–"
    for name in DECK_ROWS:
        by_people = name.startswith("Radiologist")
        expected = (
            "100 malignant, 50 benign" if by_people else "50 malignant, 100 benign"
        )
        assert classes[name] == expected


def test_rates_that_no_whole_cases_give_are_named_as_such():
    impossible = PrintedRates(accuracy="94", sensitivity="95", specificity="94")
    assert possible_classes(impossible) == NO_CLASSES


def test_others_results_are_marked_as_of_other_data(fabricated):
    rows = published_table(fabricated).rows
    data = [row[1].text for row in rows]
    assert data == ["this study"] * 9 + ["published, other data"] * 23
    faculty = next(row for row in rows if row[0].text == "Faculty 1")
    assert faculty[4].text == "91.0"
    assert faculty[4].notes[0] == "logit 83.6–95.3"
