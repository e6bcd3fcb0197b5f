import json
import re

import pytest

from shared.recipes import (
    FusionRule,
    HandcraftedFeatures,
    NetworkFeatures,
    RecipeInvalid,
    RecipeUnknown,
    Tuning,
    list_recipes,
    load_recipe,
    read_recipe,
)


@pytest.fixture
def table():
    light = json.loads(json.dumps(load_recipe("light").as_table()))
    return {key: value for key, value in light.items() if key != "tuning"}


def test_the_recipes_that_ship_are_listed():
    assert list_recipes() == (
        "koh2020",
        "lee2019",
        "light",
        "modern",
        "sera_vgg16",
        "starter",
    )


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_is_unchanged_after_json(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert read_recipe(json.loads(json.dumps(recipe.as_table()))) == recipe


def labels(recipe, members) -> list[str]:
    return [recipe.label(component) for component in recipe.select_components(members)]


def test_light_has_two_networks_and_handcrafted_features():
    light = load_recipe("light")
    assert [features.network for features in light.features] == [
        "squeezenet",
        "mobilenet_v2",
        "handcrafted",
    ]
    assert labels(light, light.fusion.members) == [
        "squeezenet/svm",
        "handcrafted/forest",
        "squeezenet+mobilenet_v2+handcrafted/svm",
        "mobilenet_v2+handcrafted/svm",
    ]


def test_modern_has_two_newer_networks_and_says_that_it_is_untried():
    modern = load_recipe("modern")
    assert "not yet tried" in modern.source
    assert labels(modern, modern.fusion.members) == [
        "convnext_tiny/svm",
        "dinov2_vits14/svm",
        "handcrafted/svm",
        "handcrafted/forest",
    ]
    assert not any(
        features.tuning is not Tuning.NONE
        for features in modern.features
        if isinstance(features, NetworkFeatures)
    )


def test_lee2019_has_the_paper_s_six_selected_features():
    lee = load_recipe("lee2019")
    assert [(f.network, f.tap, str(f.tuning)) for f in lee.features] == [
        ("alexnet", "fc2", "fine-tune"),
        ("overfeat_accurate", "fc2", "fine-tune"),
        ("vgg_f", "fc1", "fine-tune"),
        ("vgg19", "fc2", "none"),
        ("resnet50", "avg", "none"),
        ("inception_v3", "avg", "none"),
    ]
    assert (lee.tuning.momentum, lee.tuning.batch, lee.validation.folds) == (0.9, 33, 6)
    assert len(lee.select_components(lee.fusion.members)) == 12


def test_koh2020_declares_two_ensembles_of_matlab_s_list_and_says_so():
    koh = load_recipe("koh2020")
    assert len(koh.features) == 14
    assert "declared here, not reproduced" in koh.source
    assert {
        ensemble.name: len(labels(koh, ensemble.members)) for ensemble in koh.ensembles
    } == {
        "CNNE1": 14,
        "CNNE2": 28,
    }


def test_the_deployed_recipe_is_vgg16_tuned_end_to_end():
    deployed = load_recipe("sera_vgg16")
    assert labels(deployed, deployed.fusion.members) == ["vgg16/network"]


def test_every_feature_set_of_a_recipe_that_ships_has_a_component():
    for recipe in map(load_recipe, list_recipes()):
        if recipe.fusion.members == ("all",):
            assert recipe.all_components()
            continue
        member_sets = {
            name
            for member in recipe.fusion.members
            for name in member.rpartition("/")[0].split("+")
        }
        assert member_sets == {features.name for features in recipe.features}


def test_starter_needs_no_weights():
    tuned, by_formula = load_recipe("starter").features
    assert tuned.tuning == "phantoms"
    assert isinstance(by_formula, HandcraftedFeatures)


def test_a_recipe_can_be_given_by_path(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\nversion = "1"\nsource = "a test"\n[[features]]\nfamilies = ["shape"]\n'
        '[[classifiers]]\nkind = "svm"\nkernel = ["linear"]\nC = [1]\n'
        '[fusion]\nmembers = ["handcrafted/svm"]\n'
    )
    recipe = load_recipe(path)
    assert recipe.classifiers[0].C == (1.0,)
    assert recipe.fusion.members == ("handcrafted/svm",)


@pytest.mark.parametrize("name", ["heavy", "../light", "", "/etc/passwd"])
def test_an_unknown_recipe_is_refused(name):
    with pytest.raises(RecipeUnknown, match="light"):
        load_recipe(name)


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("name = ")
    with pytest.raises(RecipeInvalid, match="TOML"):
        load_recipe(path)


def change(table, path, value):
    *parents, last = path
    for key in parents:
        table = table[key]
    table[last] = value


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("colour",), "red", "colour"),
        (("roi", "margins"), 0.1, "roi.margins"),
        (("roi", "margin"), -0.1, "roi.margin"),
        (("roi", "margin"), float("nan"), "roi.margin"),
        (("features",), [], "features"),
        (("features", 0, "flips"), 1, r"features\[0\].flips"),
        (("features", 0, "root"), "yes", r"features\[0\].root"),
        (("features", 0, "tuning"), "melt", r"features\[0\].tuning"),
        (("features", 0, "tuning"), "phantoms", "phantoms"),
        (("features", 2, "label"), "squeezenet", "concatenations"),
        (("classifiers", 1, "reads"), ["handcrafted+vgg19"], r"classifiers\[1\].reads"),
        (("features", 0, "tuning"), "fine-tune", "tuning"),
        (("features", 2, "levels"), 1, r"features\[2\].levels"),
        (("features", 2, "levels"), 257, r"features\[2\].levels"),
        (("features", 2, "distance"), 0, r"features\[2\].distance"),
        (("features", 2, "distance"), 33, r"features\[2\].distance"),
        (("features", 2, "distance"), 1.5, r"features\[2\].distance"),
        (("classifiers", 0, "kind"), "perceptron", r"classifiers\[0\].kind"),
        (("classifiers", 0, "C"), [0], r"classifiers\[0\].C"),
        (("classifiers", 1, "trees"), 10.5, r"classifiers\[1\].trees"),
        (("classifiers", 0, "reads"), ["vgg19"], r"classifiers\[0\].reads"),
        (("concatenations", 0), ["squeezenet", "squeezenet"], r"concatenations\[0\]"),
        (("concatenations", 0), ["squeezenet", "vgg19"], "concatenations"),
        (("outline", "outlines"), 0.9, "outline.outlines"),
        (("outline", "boxes"), 0.6, "outline.outlines . outline.boxes . .*"),
        (("study", "concatenate"), ["handcrafted"], "study.concatenate"),
        (
            ("ensembles",),
            [{"name": "mine", "members": ["vgg19/svm"]}],
            r"ensembles.mine.members",
        ),
        (("tuning",), {"epochs": 0, "rates": [0.1]}, "tuning.epochs"),
        (("tuning",), {"epochs": 3, "rates": [0]}, "tuning.rates"),
        (
            ("tuning",),
            {"epochs": 3, "rates": [0.1], "momentum": 1.0},
            "tuning.momentum",
        ),
        (("fusion", "members"), ["vgg19/svm"], "fusion.members"),
        (("fusion", "rule"), "quarrel", "fusion.rule"),
        (("decision", "novelty_quantile"), 1.5, "decision.novelty_quantile"),
        (("validation", "folds"), 1, "validation.folds"),
        (("validation",), 3, "validation"),
    ],
)
def test_a_wrong_entry_is_named(table, path, value, key):
    change(table, path, value)
    with pytest.raises(RecipeInvalid, match=f"`{key}`"):
        read_recipe(table)


def test_a_missing_entry_is_named(table):
    del table["features"][0]["taps"]
    with pytest.raises(RecipeInvalid, match=r"features\[0\].taps.*missing"):
        read_recipe(table)


def test_the_same_network_twice_needs_a_label(table):
    table["features"].append({**table["features"][0], "label": "squeezenet-late"})
    assert read_recipe(table).features[-1].name == "squeezenet-late"


def test_texture_has_16_levels_and_a_distance_of_1_unless_the_recipe_says_otherwise(
    table,
):
    default = load_recipe("light").features[2]
    assert (default.levels, default.distance) == (16, 1)
    table["features"][2] |= {"levels": 256, "distance": 3}
    configured = read_recipe(table).features[2]
    assert (configured.levels, configured.distance) == (256, 3)


def test_a_single_component_cannot_vote(table):
    table["fusion"] = {"members": ["squeezenet/svm"], "rule": FusionRule.VOTE}
    with pytest.raises(RecipeInvalid, match=r"fusion\.rule"):
        read_recipe(table)


def test_a_recipe_can_be_reduced_to_some_of_its_feature_sets():
    light = load_recipe("light")
    reduced = light.with_feature_sets(["mobilenet_v2", "handcrafted"])
    assert labels(reduced, reduced.fusion.members) == [
        "handcrafted/forest",
        "mobilenet_v2+handcrafted/svm",
    ]
    assert read_recipe(json.loads(json.dumps(reduced.as_table()))) == reduced


def test_a_concatenation_of_feature_sets_is_a_component_of_its_own():
    table = {
        **load_recipe("light").as_table(),
        "concatenations": [
            ["mobilenet_v2", "handcrafted"],
            ["handcrafted", "squeezenet"],
        ],
    }
    members = ["mobilenet_v2+handcrafted/svm", "handcrafted+squeezenet/svm"]
    recipe = read_recipe(table | {"fusion": {"members": members}})
    own, of_first = recipe.select_components(recipe.fusion.members)
    assert own.feature_sets == (1, 2)
    assert "mobilenet_v2+handcrafted" in own.classifier.reads
    assert of_first.feature_sets == (2, 0)
    assert "handcrafted" in of_first.classifier.reads


def test_two_feature_sets_of_one_name_are_refused():
    table = load_recipe("starter").as_table()
    with pytest.raises(RecipeInvalid, match="give a `label`"):
        read_recipe(
            {**table, "features": [{"families": ["shape"]}, {"families": ["glcm"]}]}
        )


@pytest.mark.parametrize(
    ("calipers", "outlined_share", "resolved"),
    [("auto", 0.6, "always"), ("auto", 0.4, "never"), ("never", 1.0, "never")],
)
def test_calipers_give_the_roi_if_most_training_images_had_an_roi(
    calipers, outlined_share, resolved
):
    recipe = read_recipe(
        {
            **load_recipe("light").as_table(),
            "roi": {"margin": 0.3, "calipers": calipers},
        }
    )
    assert recipe.with_calipers(outlined_share).roi.calipers == resolved


OUTLINE = {"encoder": "sera_tiny", "deepest": "block4", "frozen": ""}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"folds": 1}, "outline.folds"),
        ({"epochs": 0}, "outline.epochs"),
        ({"boxes": 0.8, "loose_boxes": 0.3}, "outline.boxes"),
        ({"colour": 1}, "outline.colour"),
        ({"phantoms": -1}, "outline.phantoms"),
        ({"input_px": 8}, "outline.input_px"),
        ({"decoder": [8, 0]}, "outline.decoder"),
    ],
)
def test_an_outline_section_is_checked(table, changes, key):
    with pytest.raises(RecipeInvalid, match=re.escape(key)):
        read_recipe(table | {"outline": OUTLINE | changes})


@pytest.mark.parametrize(
    ("masks", "images", "is_kept"),
    [(40, 60, True), (39, 60, False), (100, 300, False), (320, 320, True)],
)
def test_outlines_are_learnt_from_enough_masks(table, masks, images, is_kept):
    recipe = read_recipe(table | {"outline": OUTLINE})
    kept = recipe.with_outlines(masks=masks, images=images).outline
    assert (kept is not None) == is_kept


def test_outlines_of_phantoms_need_no_masks():
    recipe = load_recipe("starter")
    assert recipe.outline.phantoms
    assert recipe.with_outlines(masks=0, images=300) == recipe
