import importlib

import pytest

import analyses
import landscape


@pytest.mark.parametrize("package", [landscape, analyses])
def test_every_public_name_can_be_imported_and_says_what_it_is(package):
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        value = getattr(package, name)
        assert value.__doc__, name
        assert value.__module__.startswith(f"{package.__name__}."), name
        assert getattr(importlib.import_module(value.__module__), name) is value


@pytest.mark.parametrize("package", [landscape, analyses])
def test_other_names_are_no_attributes(package):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018
