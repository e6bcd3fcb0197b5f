from services.trainer.steps import evaluation_message
from shared.domain.training.steps import EvaluationOutcome


def test_the_message_of_too_few_images_has_no_figures():
    message = evaluation_message(EvaluationOutcome(images=3))
    assert str(message) == "3 locked test images: too few to tell"
    assert None not in message.facts.values()


def test_the_message_of_an_evaluation_has_its_auc():
    message = evaluation_message(EvaluationOutcome(images=30, auc=0.8125))
    assert str(message) == "30 locked test images: AUC 0.812"
