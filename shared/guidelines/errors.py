"""What cannot be turned into advice."""

from shared.errors import InputError


class SizeInvalid(InputError):
    code = "size-invalid"
    text = "The nodule size {size_mm} is not usable. Give the largest diameter in millimetres, as a number above 0."


class RiskInvalid(InputError):
    code = "risk-invalid"
    text = "The risk {risk} is not usable. Give the calibrated probability of malignancy as a number from 0 to 1."


class RuleUnknown(InputError):
    code = "rule-unknown"
    text = "There is no FNA rule {rule!r}. Choose one of: {known}."
