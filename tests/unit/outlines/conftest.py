import pytest

from shared.outlines import NetworkOutliner
from tests.support.outlines import trained_network


@pytest.fixture(scope="session")
def outliner() -> NetworkOutliner:
    """Trained on a few phantoms."""
    return NetworkOutliner(trained_network())
