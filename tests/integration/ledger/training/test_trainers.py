from datetime import timedelta

from shared.ledger.training.trainers import MissingWeights

VGG = MissingWeights("vgg19", "vgg19-dcbb9e9d.pth / vgg19.pth", "/weights", "")


def test_a_trainers_last_word_counts(ledger):
    with ledger.system_session("test") as system:
        system.trainers.report("north", {"lee2019": [VGG], "starter": []})
        system.trainers.report("south", {"lee2019": [VGG]})
        system.trainers.report("south", {})
        north, south = system.trainers.present()
    assert (north.name, north.missing_weights) == ("north", {"lee2019": (VGG,)})
    assert (south.name, south.missing_weights) == ("south", {})


def test_a_trainer_that_is_silent_is_taken_to_be_gone(ledger):
    with ledger.system_session("test") as system:
        system.trainers.report("north", {})
        assert system.trainers.present(timedelta(0)) == []
