"""Reads and writes classifiers as skops files. Only types on SERA's own list are built."""

import io
import json
import zipfile
from collections.abc import Iterator

import skops.io
from skops.io._audit import Node, audit_tree, get_tree
from skops.io._sklearn import TreeNode
from skops.io._utils import read_schema

from shared.bundles.classifier_checks import check_classifier, check_tree
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
        if the file is malformed, or its arrays are not those of a forest or SVM. Compiled code
        follows the nodes of a tree without looking, so they are checked before it is built.
    """
    try:
        return _build(content, part)
    except UntrustedType:
        raise
    except (MemoryError, OSError):
        raise
    except Exception as error:  # skops, zipfile and NumPy raise many types
        problem = f"{type(error).__name__}: {error}"
        raise BundleUnreadable(part=part, problem=problem) from error


def _build(content: bytes, part: str) -> object:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        untrusted = set(_types(json.loads(archive.read("schema.json")))) - ALLOWED_TYPES
        if untrusted:
            raise UntrustedType(part=part, types=", ".join(sorted(untrusted)))
        schema, context = read_schema(archive)
        root = get_tree(schema, context, trusted=_TYPES_UNKNOWN_TO_SKOPS)
        audit_tree(root, trusted=_TYPES_UNKNOWN_TO_SKOPS)
        for tree in _tree_nodes(root):
            check_tree(tree.args.construct(), tree.attrs.construct())
        model = root.construct()
    check_classifier(model)
    return model


def _tree_nodes(root: Node) -> list[TreeNode]:
    """Return the decision trees of a file, which are not built yet."""
    nodes: dict[int, Node] = {}
    waiting: list[object] = [root]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, Node) and id(entry) not in nodes:
            nodes[id(entry)] = entry
            waiting += entry.children.values()
        elif isinstance(entry, dict):
            waiting += entry.values()
        elif isinstance(entry, list | tuple):
            waiting += entry
    return [node for node in nodes.values() if isinstance(node, TreeNode)]


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
