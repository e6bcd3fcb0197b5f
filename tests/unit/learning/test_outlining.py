"""Outlines in training and in use: cross-fitted, of every kind of ROI, and stored."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from shared.imaging import Box, Framing, MarkedImage
from shared.learning import TrainingContext, fit, phantom_samples
from shared.learning.features.cache import NoCache
from shared.learning.outlining import OutlineFolds, PhantomOutlines
from shared.learning.progress import ignore_progress
from shared.learning.roi_validation import validate_by_roi_kind
from shared.learning.samples.presented import LOOSE_SHARE, present_roi
from shared.learning.samples.sample import Picture, Sample
from shared.outlines import pack_network
from shared.recipes import OutlinePlan, RoiKind
from tests.unit.learning.features.test_table import MemoryCache

PLAN = OutlinePlan(
    encoder="sera_tiny", deepest="block4", frozen="block4", epochs=1, rate=5e-3, folds=2
)
COUNT = 24
PLAIN = Framing(0.1)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return phantom_samples(COUNT, 0)


@pytest.fixture(scope="module")
def outlined_recipe(recipe):
    formulas = recipe.with_feature_sets({"handcrafted"})
    return replace(formulas, outline=PLAN)


@pytest.fixture(scope="module")
def cache() -> MemoryCache:
    return MemoryCache()


@pytest.fixture(scope="module")
def model(samples, outlined_recipe, no_weights, cache):
    return fit(samples, outlined_recipe, no_weights, cache=cache)


def folds_of(samples, no_weights, cache) -> OutlineFolds:
    return OutlineFolds(
        samples,
        plan=PLAN,
        weights=no_weights,
        cache=cache,
        seed=0,
        progress=ignore_progress,
    )


def test_a_network_never_saw_the_patients_that_it_outlines(
    samples, no_weights, monkeypatch
):
    seen: list[set[int]] = []

    def note(network, examples, **_):
        seen.append({example.pixels.tobytes() for example in examples})

    monkeypatch.setattr("shared.learning.outlining.train_outline_network", note)
    paired = [replace(sample, patient=str(i // 2)) for i, sample in enumerate(samples)]
    folds = folds_of(paired, no_weights, NoCache())
    for fold in range(PLAN.folds):
        folds.outliner(fold)
        own = [sample for sample in paired if folds.fold_of(sample) == fold]
        assert own
        for sample in own:
            assert sample.read().image.pixels.tobytes() not in seen[fold]
    folds.outliner(None)
    assert len(seen[-1]) == COUNT
    pairs = zip(paired[::2], paired[1::2], strict=True)
    assert all(folds.fold_of(one) == folds.fold_of(other) for one, other in pairs)


def test_outlined_pictures_without_a_label_train_the_networks_too(
    samples, outlined_recipe, no_weights, monkeypatch
):
    counts: list[int] = []
    monkeypatch.setattr(
        "shared.learning.outlining.train_outline_network",
        lambda network, examples, **_: counts.append(len(examples)),
    )
    labelled = samples[:16]
    with TrainingContext(
        labelled,
        recipe=outlined_recipe,
        weights=no_weights,
        cache=NoCache(),
        seed=0,
        outlined=[Picture(sample.key, sample.read) for sample in samples[16:]],
    ) as context:
        context.outliner()
        assert len(context.table.samples) == len(labelled)
    assert counts[-1] == COUNT


def test_a_network_of_phantoms_outlines_images_without_masks(
    samples, outlined_recipe, no_weights
):
    plan = replace(PLAN, phantoms=24, epochs=2, input_px=64, decoder=(8, 16))
    unmarked = [
        replace(sample, read=partial(without_roi, sample)) for sample in samples
    ]
    recipe = replace(outlined_recipe, outline=plan)
    model = fit(unmarked, recipe, no_weights)
    assert model.outliner is not None
    assert model.outliner.network.input_px == 64
    agreements = {
        name: value
        for name, value in model.metrics.items()
        if name.startswith("outline_dice_")
    }
    assert set(agreements) == {
        f"outline_dice_{kind}"
        for kind in ("box", "loose_box_15", "loose_box_30", "click", "none")
    }
    assert agreements["outline_dice_box"] > 0.7


def test_phantoms_that_judge_outlines_are_no_phantoms_of_their_training(
    no_weights, monkeypatch
):
    seen: list[bytes] = []

    def note(network, examples, **_):
        seen.extend(example.pixels.tobytes() for example in examples)

    monkeypatch.setattr("shared.learning.outlining.train_outline_network", note)
    networks = PhantomOutlines(
        replace(PLAN, phantoms=3),
        no_weights,
        NoCache(),
        seed=0,
        progress=ignore_progress,
    )
    judging = [example.pixels.tobytes() for _, example in networks.held_out()]
    assert len(seen) == 3
    assert not set(seen) & set(judging)


def without_roi(sample: Sample) -> MarkedImage:
    return MarkedImage(sample.read().image, None)


def test_stored_networks_are_not_trained_again(
    samples, no_weights, cache, model, monkeypatch
):
    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr("shared.learning.outlining.train_outline_network", refuse)
    again = folds_of(samples, no_weights, cache).outliner(None)
    assert pack_network(again.network) == pack_network(model.outliner.network)


def test_a_model_answers_a_loose_box_by_its_own_outline(samples, model):
    framing = replace(PLAIN, margin=model.recipe.roi.margin, outliner=model.outliner)
    marked = samples[0].read()
    box = present_roi(marked, RoiKind.LOOSE_BOX, samples[0])
    nodule = replace(samples[0], read=partial(replace, marked, roi=box)).load(framing)
    assert nodule.has_outline
    assert nodule.roi.polygon is not None
    [prediction] = model.predict([nodule])
    assert 0 <= prediction.score <= 1


def test_no_nodule_in_a_picture_is_referred(samples, model):
    nodule = samples[0].load(PLAIN)
    [found] = model.predict([nodule])
    [absent] = model.predict([replace(nodule, is_found=False)])
    assert absent.decision == "refer"
    assert absent.score == found.score


def test_images_are_presented_as_readers_mark_them(samples):
    marked = samples[3].read()
    outline = present_roi(marked, RoiKind.OUTLINE, samples[3])
    box = present_roi(marked, RoiKind.BOX, samples[3])
    loose = present_roi(marked, RoiKind.LOOSE_BOX, samples[3])
    assert outline == marked.roi
    assert box.bounds == outline.bounds
    assert present_roi(marked, RoiKind.NONE, samples[3]) is None
    assert loose == present_roi(marked, RoiKind.LOOSE_BOX, samples[3])
    assert loose != box
    height, width = marked.image.pixels.shape
    loose.check_inside(width=width, height=height)
    left, _, box_width, _ = box.real_box
    assert abs(loose.real_box[0] - left) <= LOOSE_SHARE * box_width
    assert Box(x=0, y=0, width=width, height=height).contains(loose.bounds)


def test_the_kinds_of_roi_are_judged_by_the_same_fits(
    samples, outlined_recipe, no_weights, cache
):
    with TrainingContext(
        samples, outlined_recipe, no_weights, cache=cache, seed=0
    ) as context:
        scores = context.score_out_of_fold(
            context.components, context.recipe.features, ignore_progress
        )
        judged = validate_by_roi_kind(context, scores, ignore_progress)
    by_kind = {kind.kind: kind for kind in judged}
    assert set(by_kind) == set(RoiKind)
    assert (by_kind[RoiKind.OUTLINE].scores != by_kind[RoiKind.BOX].scores).any()
    assert (by_kind[RoiKind.NONE].scores != by_kind[RoiKind.BOX].scores).any()


def test_a_fit_reads_each_image_with_every_kind_of_roi(
    samples, outlined_recipe, no_weights, cache, monkeypatch
):
    def table_of():
        with TrainingContext(
            samples, outlined_recipe, no_weights, cache=cache, seed=0
        ) as context:
            return context.table, [
                np.array(view.features[0]) for view in context.table.views
            ]

    table, by_kind = table_of()
    assert [view.weight for view in table.views] == [0.5, 0.2, 0.15, 0.15]
    outline, box, *_ = by_kind
    assert outline.shape == (COUNT, table.features[0].shape[1])
    assert (outline != box).any()
    monkeypatch.setattr("shared.learning.outlining.MAX_VIEWED_IMAGES", COUNT - 1)
    table, [drawn] = table_of()
    assert table.views[0].weight == 1.0
    for row in range(COUNT):
        assert any((drawn[row] == values[row]).all() for values in by_kind)
    assert any((drawn != values).any() for values in by_kind)


def test_a_fit_reads_the_labellers_outline_as_it_is(
    samples, outlined_recipe, no_weights, cache
):
    with TrainingContext(
        samples, outlined_recipe, no_weights, cache=cache, seed=0
    ) as context:
        in_training, *_ = context.nodules.training_views(COUNT)
        in_use = context.nodules.with_roi_kind(RoiKind.OUTLINE)
    polygon = samples[0].read().roi.polygon
    assert in_training.nodules.nodule(samples[0]).roi.polygon == polygon
    assert in_use.nodule(samples[0]).roi.polygon != polygon


def test_a_model_without_outlines_reads_each_kind_as_it_is(samples, recipe, no_weights):
    formulas = recipe.with_feature_sets({"handcrafted"})
    with TrainingContext(
        samples, formulas, no_weights, cache=NoCache(), seed=0
    ) as context:
        scores = context.score_out_of_fold(
            context.components, formulas.features, ignore_progress
        )
        judged = validate_by_roi_kind(context, scores, ignore_progress)
    outline, box, *_ = judged
    assert outline.kind is RoiKind.OUTLINE
    assert (outline.scores != box.scores).any()
