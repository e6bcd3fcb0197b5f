"""Every malformed bundle is one named error: no crash, no hang, no other exception."""

import io
import json
import random
import shutil
import zipfile
from copy import deepcopy
from hashlib import sha256

import numpy as np
import pytest

from shared.bundles import (
    BundleUnreadable,
    UntrustedType,
    first_load,
)
from shared.bundles.classifier_checks import check_tree
from shared.bundles.first_load import check_in_sandbox, load_from_outside
from shared.bundles.loading import BUNDLE_ERRORS, read_folder
from shared.bundles.storage import fetch, publish
from shared.bundles.trusted import dump_classifier, load_classifier
from shared.errors import SeraError
from shared.learning.classifiers.classifiers import SCORERS
from shared.objects import open_store
from shared.recipes import ClassifierKind
from shared.sandbox.launcher import SandboxProcess

START_PROCESS = first_load.open_process


def component(model, kind):
    return next(each for each in model.components if each.kind == kind)


@pytest.fixture
def forest(model):
    return deepcopy(component(model, ClassifierKind.FOREST).scorer.model)


@pytest.fixture
def svm(model):
    return deepcopy(component(model, ClassifierKind.SVM).scorer.model)


def change_tree(forest, change):
    """Change the state of the first tree, as a file can."""
    tree = forest.estimators_[0].tree_
    state = deepcopy(tree.__getstate__())
    change(state)
    tree.__setstate__(state)


def set_node(field, value, node=0):
    def change(state):
        state["nodes"][field][node] = value

    return change


def set_values(value):
    def change(state):
        state["values"][-1] = value

    return change


def last_leaf(state):
    state["nodes"]["right_child"][-1] = 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (set_node("left_child", 1 << 40), "children"),
        (set_node("left_child", -7), "children"),
        (set_node("left_child", 0), "children"),
        (set_node("right_child", 1), "children"),
        (set_node("right_child", -1), "children"),
        (last_leaf, "leaves"),
        (set_node("left_child", -1), "leaves"),
        (set_node("feature", 1 << 30), "features"),
        (set_node("feature", -2), "features"),
        (set_node("threshold", np.nan), "thresholds"),
        (set_node("threshold", np.inf), "thresholds"),
        (set_values(np.nan), "values"),
        (set_values(0), "values"),
        (set_values(-1), "values"),
    ],
)
def test_a_tree_that_would_be_followed_out_of_memory_is_not_built(
    forest, change, problem
):
    change_tree(forest, change)
    content = dump_classifier(forest)
    with pytest.raises(BundleUnreadable, match=f"0-forest.*malformed {problem}"):
        load_classifier(content, "0-forest")


def test_a_tree_that_claims_more_nodes_than_it_has_is_refused(forest):
    _, arguments, state = forest.estimators_[0].tree_.__reduce__()
    check_tree(arguments, state)
    with pytest.raises(ValueError, match="malformed number of nodes"):
        check_tree(arguments, {**state, "node_count": state["node_count"] + 1})
    with pytest.raises(ValueError, match="malformed number of outputs"):
        check_tree((*arguments[:2], 2), state)


def test_a_tree_is_checked_whatever_identity_the_file_gives_it(forest):
    """skops remembers objects by a number in the file; one without a number is built, too."""
    change_tree(forest, set_node("left_child", 1 << 40))
    content = rewrite_schema(dump_classifier(forest), without_identities)
    with pytest.raises(BundleUnreadable, match="malformed children"):
        load_classifier(content, "0-forest")


def test_a_forest_of_more_features_than_its_table_is_refused(forest):
    scorer = SCORERS[ClassifierKind.FOREST](forest)
    with pytest.raises(ValueError, match="number of features"):
        scorer.score(np.zeros((1, forest.n_features_in_ - 1), np.float32))


def test_a_forest_that_denies_the_features_of_its_trees_is_refused(forest):
    forest.n_features_in_ = 1
    with pytest.raises(BundleUnreadable, match="malformed number of features"):
        load_classifier(dump_classifier(forest), "0-forest")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_n_support", np.array([1 << 20, -(1 << 20)], np.int32)),
        ("_n_support", np.array([1, 1], np.int32)),
        ("_n_support", np.array([12, 11, 1], np.int32)),
        ("_dual_coef_", np.zeros((1, 2))),
        ("_dual_coef_", np.full((1, 24), np.nan)),
        ("_intercept_", np.zeros(0)),
        ("support_", np.zeros(2, np.int32)),
        ("support_vectors_", np.zeros((24, 5))),
        ("support_vectors_", np.zeros((0, 96))),
        ("_probA", np.zeros(3)),
        ("kernel", "precomputed"),
        ("_gamma", float("nan")),
        ("classes_", np.arange(9)),
        ("_sparse", True),
        ("_impl", "epsilon_svr"),
    ],
)
def test_an_svm_whose_arrays_do_not_fit_is_refused(svm, name, value):
    setattr(svm.steps[-1][1], name, value)
    with pytest.raises(BundleUnreadable, match="0-svm"):
        load_classifier(dump_classifier(svm), "0-svm")


@pytest.mark.parametrize("name", ["mean_", "scale_"])
def test_a_scaler_that_does_not_fit_is_refused(svm, name):
    setattr(svm.steps[0][1], name, np.zeros(96))
    if name == "mean_":
        setattr(svm.steps[0][1], name, np.zeros(3))
    with pytest.raises(BundleUnreadable, match="0-svm"):
        load_classifier(dump_classifier(svm), "0-svm")


@pytest.mark.parametrize("kind", [ClassifierKind.SVM, ClassifierKind.FOREST])
def test_a_classifier_with_any_array_damaged_is_refused_or_scores(model, kind):
    classifier = component(model, kind).scorer.model
    table = np.zeros((3, classifier.n_features_in_), np.float32)
    refused = 0
    for content in damaged_archives(dump_classifier(classifier)):
        try:
            scorer = SCORERS[kind](load_classifier(content, "file"))
            with np.errstate(all="ignore"):
                scores = scorer.score(table)
        except (BundleUnreadable, UntrustedType, ValueError):
            refused += 1
        else:
            assert scores.shape == (3,)
    assert refused > 20


def test_a_bundle_with_any_file_damaged_is_refused_by_name_or_loads(saved):
    contents = read_folder(saved[0])
    refusals = []
    for path, content in contents.items():
        if path.endswith(".skops"):
            continue
        for damaged in damages(content, count=6, seed=path):
            try:
                check_in_sandbox(with_file(contents, path, damaged))
            except SeraError as error:
                refusals.append(error)
    assert len(refusals) > 20
    assert [error for error in refusals if not isinstance(error, BUNDLE_ERRORS)] == []
    assert [error for error in refusals if "crashes" in str(error)] == []


def test_a_bundle_that_exhausts_its_process_is_refused(saved, monkeypatch):
    monkeypatch.setattr(first_load, "open_process", START_PROCESS)
    monkeypatch.setattr(first_load, "SPARE_MIB", 256)
    contents = with_file(
        read_folder(saved[0]), "classifiers/0-svm.skops", archive_bomb(mib=512)
    )
    with pytest.raises(BundleUnreadable, match="crashes the process"):
        check_in_sandbox(contents)


def test_a_bundle_that_takes_over_its_process_cannot_choose_the_answer(
    saved, monkeypatch
):
    def start(_size: int) -> SandboxProcess:
        return SandboxProcess(
            "tests.support.hostile_process", memory_mib=256, seconds=20
        )

    monkeypatch.setattr(first_load, "open_process", start)
    with pytest.raises(BundleUnreadable, match="falsifies the answer"):
        load_from_outside(saved[0])


def test_a_good_bundle_from_outside_loads(saved):
    assert load_from_outside(saved[0]).digest == saved[1]


def test_a_malformed_bundle_is_not_kept_on_this_machine(saved, tmp_path, forest):
    folder = shutil.copytree(saved[0], tmp_path / "copy")
    change_tree(forest, set_node("left_child", 1 << 40))
    contents = with_file(
        read_folder(folder), "classifiers/0-forest.skops", dump_classifier(forest)
    )
    for path, content in contents.items():
        (folder / path).write_bytes(content)
    objects = open_store((tmp_path / "objects").as_uri())
    digest = publish(folder, objects)
    with pytest.raises(BundleUnreadable, match="malformed children"):
        fetch(digest, objects, tmp_path / "bundles")
    assert not (tmp_path / "bundles" / digest).exists()


def with_file(contents, path, content):
    """The contents with another file, and its hash in the manifest."""
    manifest = json.loads(contents["manifest.json"])
    if path == "manifest.json":
        return {**contents, path: content}
    manifest["files"][path] = {
        "sha256": sha256(content).hexdigest(),
        "size": len(content),
    }
    return {
        **contents,
        path: content,
        "manifest.json": json.dumps(manifest).encode(),
    }


def damages(content, count, seed):
    """Copies with a changed byte, half of them near the start, and copies that are cut."""
    source = random.Random(seed)
    for number in range(count):
        damaged = bytearray(content)
        end = min(len(content), 256) if number % 2 else len(content)
        damaged[source.randrange(end)] ^= 1 << source.randrange(8)
        yield bytes(damaged)
    for share in (0, 0.5, 0.99):
        yield content[: int(len(content) * share)]


def damaged_archives(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, member in members.items():
        for damaged in damages(member, count=6, seed=name[-8:]):
            yield packed({**members, name: damaged})


def packed(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return stream.getvalue()


def archive_bomb(mib):
    """A small file whose schema is as large as this."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("schema.json", "w", force_zip64=True) as schema,
    ):
        for _ in range(mib):
            schema.write(bytes(1 << 20))
    return stream.getvalue()


def rewrite_schema(content, change):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = change(json.loads(members["schema.json"]))
    return packed({**members, "schema.json": json.dumps(schema)})


def without_identities(node):
    if isinstance(node, dict):
        return {
            key: without_identities(value)
            for key, value in node.items()
            if key != "__id__"
        }
    if isinstance(node, list):
        return [without_identities(entry) for entry in node]
    return node
