"""Bundles: the immutable files of a trained model. Saves, verifies and loads them, and predicts."""

from shared.bundles.bundle import Bundle
from shared.bundles.errors import (
    BundleExists,
    BundleFormatUnknown,
    BundleMissing,
    BundleNotReproduced,
    BundleTampered,
    BundleUnreadable,
    UntrustedType,
)
from shared.bundles.loading import assemble_folder, list_files, load
from shared.bundles.manifest import FileEntry, Manifest
from shared.bundles.saving import save

__all__ = [
    "Bundle",
    "BundleExists",
    "BundleFormatUnknown",
    "BundleMissing",
    "BundleNotReproduced",
    "BundleTampered",
    "BundleUnreadable",
    "FileEntry",
    "Manifest",
    "UntrustedType",
    "assemble_folder",
    "list_files",
    "load",
    "save",
]
