"""Reads and writes classifiers as skops files. Only types on SERA's own list are built."""

import io
import json
import zipfile
from collections.abc import Iterator

import skops.io

from shared.bundles.errors import BundleUnreadable, UntrustedType

# The types in a forest and in a standardised SVM. By default, skops trusts more types.
ALLOWED_TYPES = frozenset(
    {
        "builtins.dict",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.float64",
        "numpy.int64",
        "numpy.ndarray",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.svm._classes.SVC",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._tree.Tree",
    }
)
ALLOWED_LOADERS = frozenset(
    {
        "DictNode",
        "JsonNode",
        "ListNode",
        "NdArrayNode",
        "ObjectNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
    }
)
_TYPES_UNKNOWN_TO_SKOPS = ["sklearn.tree._tree.Tree"]
"""The types on our list that skops does not trust by default."""


def dump_classifier(model: object) -> bytes:
    """Return a fitted scikit-learn model as a skops file."""
    content: bytes = skops.io.dumps(
        model, compression=zipfile.ZIP_DEFLATED, compresslevel=1
    )
    return content


def load_classifier(content: bytes, part: str) -> object:
    """Build the model of a skops file.

    Raises
    ------
    UntrustedType
        if any object in the file has a type that is not on our list. The check comes before
        anything is built.
    BundleUnreadable
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        schema = json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BundleUnreadable(part=part, problem=str(error)) from error
    untrusted = set(_types(schema)) - ALLOWED_TYPES
    if untrusted:
        raise UntrustedType(part=part, types=", ".join(sorted(untrusted)))
    return skops.io.loads(content, trusted=_TYPES_UNKNOWN_TO_SKOPS)


def _types(node: object) -> Iterator[str]:
    """Yield every type that a schema names, and every loader that is not on our list."""
    if isinstance(node, dict):
        if "__class__" in node:
            yield f"{node.get('__module__')}.{node['__class__']}"
        if "__loader__" in node and node["__loader__"] not in ALLOWED_LOADERS:
            yield f"loader {node['__loader__']}"
        node = list(node.values())
    if isinstance(node, list):
        for entry in node:
            yield from _types(entry)
