"""Checks whether a published row of rates can come from whole numbers of cases.

A published table is checked before a study is compared with it.
"""

from shared.statistics.confusion import ConfusionTable


def tables_behind(
    accuracy: float,
    sensitivity: float,
    specificity: float,
    *,
    malignant: int,
    benign: int,
) -> tuple[ConfusionTable, ...]:
    """Return all tables of these classes whose rates round to the printed ones.

    Without such a table the row is impossible.

    Parameters
    ----------
    accuracy, sensitivity, specificity : per cent, as printed, with the printed number of decimals
    malignant, benign : numbers of cases
    """
    return tuple(
        ConfusionTable(tp=tp, fn=malignant - tp, fp=benign - tn, tn=tn)
        for tp in _counts_printed_as(sensitivity, malignant)
        for tn in _counts_printed_as(specificity, benign)
        if _is_printed_as(accuracy, tp + tn, malignant + benign)
    )


def _counts_printed_as(percent: float, total: int) -> list[int]:
    return [
        count for count in range(total + 1) if _is_printed_as(percent, count, total)
    ]


def _is_printed_as(percent: float, count: int, total: int) -> bool:
    """Return whether a count, in per cent, rounds to the printed value.

    The tolerance is half a unit of the last printed digit, and a little more, because halves
    may be rounded either way.
    """
    decimals = len(f"{percent:.10g}".partition(".")[2])
    return abs(100 * count / total - percent) <= 0.5 * 10.0**-decimals + 1e-9
