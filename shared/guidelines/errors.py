"""Errors of input that cannot be turned into advice."""

from shared.errors import InputError


class SizeInvalid(InputError):
    code = "size-invalid"
    text = (
        "The nodule size {size_mm} is not usable. "
        "Give the largest diameter in millimetres, as a number above 0."
    )


class RiskInvalid(InputError):
    code = "risk-invalid"
    text = (
        "The risk {risk} is not usable. "
        "Give the calibrated probability of malignancy as a number from 0 to 1."
    )


class DescriptorsUnreadable(InputError):
    code = "descriptors-unreadable"
    text = (
        "The descriptors cannot be read. Send one JSON object with no other names than {known}, "
        "for example {example}; or leave them out."
    )


class DescriptorUnusable(InputError):
    code = "descriptor-unusable"
    text = (
        "The descriptor {name} is missing or cannot be used as it was sent. It takes: {takes}. "
        "Correct it, or leave all descriptors out."
    )


class RuleUnknown(InputError):
    code = "rule-unknown"
    text = "There is no FNA rule {rule!r}. Choose one of: {known}."
