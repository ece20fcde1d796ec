import pytest

import archsearch.diagnosis
import archsearch.diagnosis.rules
import archsearch.ranking


@pytest.mark.parametrize("package", [archsearch.diagnosis, archsearch.diagnosis.rules, archsearch.ranking])
def test_exported_names_exist_and_are_sorted(package):
    names = package.__all__
    constants = [name for name in names if name.isupper()]
    classes = [name for name in names if name[0].isupper() and not name.isupper()]
    functions = [name for name in names if name[0].islower()]
    assert names == sorted(constants) + sorted(classes) + sorted(functions)
    assert all(hasattr(package, name) for name in names)
