"""Errors of bundles, each with the next step."""

from shared.errors import SeraError


class BundleMissing(SeraError):
    code = "bundle-missing"
    status = 404
    text = (
        "There is no bundle in {folder}: it holds no manifest.json. "
        "Give the folder that a training run wrote."
    )


class BundleUnreadable(SeraError):
    code = "bundle-unreadable"
    text = "The bundle's {part} cannot be read ({problem}). Fetch the bundle again, or train anew."


class BundleFormatUnknown(BundleUnreadable):
    code = "bundle-format-unknown"
    text = (
        "The bundle is of format {format}, and this SERA reads the formats {readable}. "
        "Update SERA if the bundle is newer, or train anew."
    )


class BundleTampered(SeraError):
    code = "bundle-tampered"
    text = (
        "The bundle's {part} is not what was saved: its digest differs. "
        "Do not use it; fetch the bundle again."
    )


class BundleNotReproduced(SeraError):
    code = "bundle-not-reproduced"
    text = (
        "The bundle scores golden case {case} with {found:.4f} here, "
        "and with {expected:.4f} when it was saved. "
        "Install the library versions in its manifest, or train anew."
    )


class OutlinesNotReproduced(SeraError):
    code = "bundle-outlines-not-reproduced"
    text = (
        "The bundle outlines golden picture {case} differently here than when it was saved "
        "(Dice {dice:.3f}). Install the library versions in its manifest, or train anew."
    )


class UntrustedType(SeraError):
    code = "untrusted-type"
    text = (
        "The bundle's {part} holds objects of types that SERA does not load: {types}. "
        "Do not use it."
    )


class BundleExists(SeraError):
    code = "bundle-exists"
    status = 409
    text = (
        "The folder {folder} exists already, and a bundle never changes. "
        "Give a folder that does not exist."
    )
