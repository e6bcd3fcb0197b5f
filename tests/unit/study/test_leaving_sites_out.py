"""Other models beside the recipe's at sites that none of them has seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared.bundles import load, save
from shared.bundles.card import model_card
from shared.cards import render
from shared.learning import (
    NoCache,
    Sample,
    TrainingContext,
    assemble_model,
    ignore_progress,
    phantom_samples,
)
from shared.networks import WeightsFinder
from shared.recipes import Recipe, read_recipe
from shared.study.leaving_sites_out import leave_sites_out, site_evidence
from shared.study.results import Candidate, SitesOut

COUNT = 28
FORMULAS = {"families": ["intensity"]}
NETWORK = {"network": "squeezenet", "taps": ["fire3.max"]}


def recipe_of(*features: dict) -> Recipe:
    return read_recipe(
        {
            "name": "plain",
            "version": "1",
            "source": "the tests",
            "features": features,
            "classifiers": [{"kind": "svm", "kernel": ["linear"], "C": [1]}],
            "validation": {"folds": 2, "inner_folds": 2},
        }
    )


def samples_of_two_sites(count: int) -> list[Sample]:
    return [
        replace(sample, site=("north", "south")[number >= count // 2])
        for number, sample in enumerate(phantom_samples(count, 300))
    ]


def leave_out(recipe: Recipe, weights: WeightsFinder, count: int = COUNT) -> SitesOut:
    with TrainingContext(
        samples=samples_of_two_sites(count),
        recipe=recipe,
        weights=weights,
        cache=NoCache(),
        seed=0,
    ) as context:
        return leave_sites_out(context, weights, ignore_progress)


@pytest.fixture(scope="module")
def weights(tmp_path_factory, filled) -> WeightsFinder:
    folder = tmp_path_factory.mktemp("weights")
    torch.save(filled("squeezenet").state_dict(), folder / "squeezenet1_1.pth")
    return WeightsFinder(folder, folder / "cache", download=False)


def test_plain_averages_of_the_networks_are_judged_beside_the_recipe(weights):
    sites_out = leave_out(recipe_of(FORMULAS, NETWORK), weights)
    (baseline,) = sites_out.candidates.values()
    assert baseline.judgement_mask.all()
    assert np.isfinite(baseline.scores).all()
    assert not np.allclose(baseline.scores, sites_out.row.scores)
    assert set(sites_out.candidates) == {Candidate.BASELINE}


def test_sites_with_enough_images_are_judged_by_adapted_features_too(weights):
    sites_out = leave_out(recipe_of(FORMULAS), weights, count=208)
    adapted = sites_out.candidates[Candidate.ADAPTED]
    by_others = sites_out.candidates[Candidate.ADAPTED_BY_OTHERS]
    for row in (adapted, by_others):
        assert row.judgement_mask.all()
        assert not np.allclose(row.scores, sites_out.row.scores)
    assert not np.allclose(adapted.scores, by_others.scores)
    assert np.corrcoef(adapted.scores, by_others.scores)[0, 1] > 0.9


def test_a_model_keeps_how_its_recipe_did_at_left_out_sites(weights, tmp_path):
    with TrainingContext(
        samples=samples_of_two_sites(COUNT),
        recipe=recipe_of(FORMULAS, NETWORK),
        weights=weights,
        cache=NoCache(),
        seed=0,
    ) as context:
        sites_out = leave_sites_out(context, weights, ignore_progress)
        evidence = site_evidence(context, sites_out)
        scores = context.score_out_of_fold(
            context.components, context.recipe.features, ignore_progress
        )
        model = assemble_model(context, scores, left_out_sites=evidence)
    assert set(evidence.areas) == {"recipe", "baseline"}
    save(model, tmp_path / "bundle", synthetic=True)
    bundle = load(tmp_path / "bundle")
    assert bundle.model.evidence.left_out_sites == evidence
    card = model_card(bundle)
    assert [row["images"] for row in card["left_out_sites"]["rows"]] == [COUNT // 2] * 2
    page = render(card)
    assert "At sites that a fit had not seen" in page
    assert (
        "north"
        not in page.split("At sites that a fit had not seen")[1].split("</table>")[0]
    )
