import pytest

from tests.warm import Warm


@pytest.fixture(scope="session")
def warm(server, tmp_path_factory):
    """Starts landscape-train in processes of their own."""
    warm = Warm(server, tmp_path_factory.mktemp("warm"), "landscape-train")
    yield warm
    warm.close()
