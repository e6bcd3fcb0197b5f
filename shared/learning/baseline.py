"""The plainest model of a recipe's networks, which a recipe has to beat at another site."""

from shared.networks import Pool, get_network
from shared.recipes import (
    FeatureSet,
    Fusion,
    Kernel,
    NetworkFeatures,
    Recipe,
    Svm,
    Tuning,
)

MAX_NETWORKS = 2
"""Networks whose averages are taken: the recipe's first ones."""
_SVM = Svm(kernel=(Kernel.RBF,), C=(4.0, 16.0), gamma=(0.3, 1.0), balanced=True)


def baseline_recipe(recipe: Recipe) -> Recipe | None:
    """Return a recipe of plain averages: every stage of the networks, one SVM, no outline network.

    The networks are as pre-trained. Averages depend on the ROI's box alone. The framing and the
    folds are the recipe's own. None if the recipe has no pre-trained network.
    """
    names = [
        features.network
        for features in recipe.features
        if isinstance(features, NetworkFeatures)
        and features.tuning is not Tuning.PHANTOMS
    ]
    networks = list(dict.fromkeys(names))[:MAX_NETWORKS]
    if not networks:
        return None
    features: list[FeatureSet] = [
        NetworkFeatures(network=network, taps=_stage_averages(network))
        for network in networks
    ]
    is_concatenated = len(networks) > 1
    return Recipe(
        name="plain averages",
        version="1",
        source="averages of all stages of the recipe's networks, one SVM",
        features=tuple(features),
        classifiers=(_SVM,),
        roi=recipe.roi,
        fusion=Fusion(members=(f"{'+'.join(networks)}/{_SVM.kind}",)),
        validation=recipe.validation,
        concatenations=(tuple(networks),) if is_concatenated else (),
    )


def _stage_averages(network: str) -> tuple[str, ...]:
    """Return the taps of the averages of each stage; the embedding of a network without maps."""
    card = get_network(network).card
    taps = tuple(
        name
        for name, tap in card.taps.items()
        if tap.pool is Pool.AVERAGE and name.startswith(f"{tap.stage}.")
    )
    return taps or (card.embedding,)
