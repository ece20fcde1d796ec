import pytest

from archsearch.data.sources import load
from archsearch.space.schema import Data


@pytest.fixture(scope="session")
def digits():
    return load(Data(source="digits"))
