"""Checks the arrays of classifiers from a file.

The compiled code of scikit-learn and libsvm trusts them: a child beyond the last node of a tree, or
fewer coefficients than support vectors, and it reads outside of its memory.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import NODE_DTYPE, Tree

LEAF = -1
CLASS_COUNT = 2
TREE_STATE = {"max_depth", "node_count", "nodes", "values"}
KERNELS = ("linear", "rbf")


def check_classifier(model: object) -> None:
    """Check a forest, or a pipeline of scaler and SVM. Its trees were checked before.

    Raises ValueError that names the fault, and AttributeError if a part is missing.
    """
    if type(model) is RandomForestClassifier:
        _check_forest(model)
    elif type(model) is Pipeline:
        _check_pipeline(model)
    else:
        raise ValueError(f"a {type(model).__name__} is no classifier of ours")


def check_tree(arguments: object, state: object) -> None:
    """Check what a tree is going to be built from.

    Parameters
    ----------
    arguments : number of features, number of classes of each output, number of outputs
    state : `nodes` (N,) of scikit-learn's type, `values` (N, 1, 2), and two numbers

    Raises ValueError that names the fault.
    """
    if not isinstance(arguments, tuple) or len(arguments) != 3:
        raise ValueError("a tree has other arguments")
    feature_count, class_counts, output_count = arguments
    _require(type(feature_count) is int and feature_count > 0, "number of features")
    _check_array(class_counts, "number of classes", np.int64, (1,))
    _require(class_counts.tolist() == [CLASS_COUNT], "number of classes")
    _require(type(output_count) is int and output_count == 1, "number of outputs")
    if not isinstance(state, dict) or state.keys() != TREE_STATE:
        raise ValueError("a tree has another state")
    nodes = state["nodes"]
    _require(isinstance(nodes, np.ndarray) and nodes.ndim == 1, "nodes")
    node_count = len(nodes)
    _require(node_count > 0 and state["node_count"] == node_count, "number of nodes")
    _check_array(nodes, "nodes", NODE_DTYPE, (node_count,))
    _require(type(state["max_depth"]) is int, "depth")
    _check_numbers(state["values"], "values", (node_count, 1, CLASS_COUNT))
    _require((state["values"] >= 0).all(), "values")
    _require((state["values"].sum(axis=2) > 0).all(), "values")
    _check_nodes(nodes, feature_count)


def _check_nodes(nodes: NDArray[Any], feature_count: int) -> None:
    """Check that every node but the first is the child of exactly one node before it."""
    is_leaf = nodes["left_child"] == LEAF
    _require((nodes["right_child"][is_leaf] == LEAF).all(), "leaves")
    parents = np.flatnonzero(~is_leaf)
    children = np.stack(
        [nodes[side][parents] for side in ("left_child", "right_child")]
    )
    _require((children > parents).all(), "children")
    expected = np.arange(1, len(nodes))
    _require(np.array_equal(np.sort(children, axis=None), expected), "children")
    features = nodes["feature"][parents]
    _require(((features >= 0) & (features < feature_count)).all(), "features")
    _require(np.isfinite(nodes["threshold"][parents]).all(), "thresholds")


def _check_forest(forest: RandomForestClassifier) -> None:
    _check_attributes(forest)
    feature_count = forest.n_features_in_
    _require(type(feature_count) is int, "number of features")
    trees = forest.estimators_
    _require(type(trees) is list and len(trees) > 0, "list of trees")
    for tree in trees:
        _require(type(tree) is DecisionTreeClassifier, "list of trees")
        _check_attributes(tree)
        _require(type(tree.tree_) is Tree, "list of trees")
        _require(tree.tree_.n_features == feature_count, "number of features")


def _check_pipeline(pipeline: Pipeline) -> None:
    _check_attributes(pipeline)
    _require(pipeline.memory is None, "steps")
    types = [(name, type(step)) for name, step in pipeline.steps]
    _require(types == [("standardise", StandardScaler), ("svm", SVC)], "steps")
    scaler, svm = (step for _, step in pipeline.steps)
    _check_attributes(scaler)
    _check_attributes(svm)
    width = svm.n_features_in_
    _require(type(width) is int and width > 0, "number of features")
    _require(scaler.n_features_in_ == width, "number of features")
    _require(scaler.with_mean is True and scaler.with_std is True, "scaler")
    _check_numbers(scaler.mean_, "means", (width,))
    _check_numbers(scaler.scale_, "scales", (width,))
    _require((scaler.scale_.astype(np.float32) > 0).all(), "scales")
    _check_svm(svm, width)


def _check_svm(svm: SVC, width: int) -> None:
    _require(type(svm.kernel) is str and svm.kernel in KERNELS, "kernel")
    _require(svm._sparse is False, "kind of matrix")
    _require(bool(np.isfinite(svm._gamma)) and svm._gamma >= 0, "gamma")
    _check_array(svm.classes_, "classes", np.bool_, (CLASS_COUNT,))
    _require(isinstance(svm.support_vectors_, np.ndarray), "support vectors")
    count = len(svm.support_vectors_)
    _require(count > 0, "support vectors")
    _check_numbers(svm.support_vectors_, "support vectors", (count, width))
    _check_array(svm.support_, "support", np.int32, (count,))
    _check_array(svm._n_support, "support vectors of each class", np.int32, (2,))
    _require((svm._n_support >= 0).all(), "support vectors of each class")
    _require(svm._n_support.sum(dtype=np.int64) == count, "support vectors")
    _check_numbers(svm._dual_coef_, "coefficients", (1, count))
    _check_numbers(svm._intercept_, "intercept", (1,))
    for probabilities in (svm._probA, svm._probB):
        _check_numbers(probabilities, "probabilities", (0,))


def _check_attributes(instance: object) -> None:
    """Check that a file did not replace a method or constant of a class by a value of its own."""
    replaced = vars(instance).keys() & set(dir(type(instance)))
    _require(not replaced, f"attributes {', '.join(sorted(replaced))}")


def _check_numbers(array: object, name: str, shape: tuple[int, ...]) -> None:
    numbers = _check_array(array, name, np.float64, shape)
    _require(np.isfinite(numbers).all(), name)


def _check_array(
    array: object, name: str, dtype: DTypeLike, shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return the array after a check of its type, shape and order."""
    if type(array) is not np.ndarray:
        raise ValueError(f"malformed {name}")
    _require(array.dtype == dtype and array.shape == shape, name)
    _require(array.flags.c_contiguous and array.flags.aligned, name)
    return array


def _require(is_right: object, name: str) -> None:
    if not is_right:
        raise ValueError(f"malformed {name}")
