from datetime import timedelta

from shared.ledger.training.trainers import MissingWeights

VGG = MissingWeights("vgg19", "vgg19-dcbb9e9d.pth / vgg19.pth", "/weights", "")


def test_a_trainers_last_word_counts(ledger):
    with ledger.system_session("test") as house:
        house.trainers.report("north", {"lee2019": [VGG], "starter": []})
        house.trainers.report("south", {"lee2019": [VGG]})
        house.trainers.report("south", {})
        north, south = house.trainers.present()
    assert (north.name, north.lacks) == ("north", {"lee2019": (VGG,)})
    assert (south.name, south.lacks) == ("south", {})


def test_a_trainer_that_is_silent_is_taken_to_be_gone(ledger):
    with ledger.system_session("test") as house:
        house.trainers.report("north", {})
        assert house.trainers.present(timedelta(0)) == []
