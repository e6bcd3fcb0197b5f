"""Errors of statistics that cannot be computed, each with the reason."""

from shared.errors import InputError


class SingleClass(InputError):
    code = "single-class"
    text = (
        "This needs benign and malignant cases, at least {needed} of each, and there are "
        "{malignant} malignant and {benign} benign ones. Add cases of the class that is short."
    )


class ScoresInvalid(InputError):
    code = "scores-invalid"
    text = (
        "The scores cannot be evaluated: {problem}. "
        "Give one finite score and one 0/1 label (1 = malignant) per case."
    )


class ConstantScores(InputError):
    code = "constant-scores"
    text = (
        "All {count} scores are equal, so no cut-off parts them. "
        "Look for a failed fit or for empty features."
    )


class ProbabilityInvalid(InputError):
    code = "probability-invalid"
    text = (
        "{what} has to lie {where}. "
        "Pass calibrated probabilities and prevalences as fractions, not percentages."
    )


class MeasureUnpaired(InputError):
    code = "measure-unpaired"
    text = (
        "McNemar's test cannot compare `{measure}`, which each judge has on other cases. "
        "Choose sensitivity, specificity or accuracy."
    )


class JudgementsInvalid(InputError):
    code = "judgements-invalid"
    text = (
        "The judgements cannot be compared: {problem}. "
        "Give one row of 0/1 for each judge, one column for each case."
    )


class GeeNotConverged(InputError):
    code = "gee-not-converged"
    text = (
        "The GEE did not settle on rates for {judges} judges over {cases} cases, so many "
        "judgements are missing. Leave out judges with few cases, or compare them two by two "
        "with McNemar's test."
    )


class RatingsInvalid(InputError):
    code = "ratings-invalid"
    text = (
        "The ratings have no agreement to measure: {problem}. "
        "Give every case a category from at least two raters."
    )


class DriftSampleInvalid(InputError):
    code = "drift-sample-invalid"
    text = (
        "The values cannot be compared with the reference: {problem}. "
        "Give at least one value, all of them finite."
    )


class DriftReferenceInvalid(InputError):
    code = "drift-reference-invalid"
    text = (
        "The reference cannot be compared with: {problem}. "
        "Give quantiles at equal steps from the minimum to the maximum, at least 11 of them."
    )
