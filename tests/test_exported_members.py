import importlib
import types

import landscape


def test_the_list_of_public_names_is_what_can_be_imported():
    public = [
        name
        for name, value in vars(landscape).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    ]
    assert sorted(landscape.__all__) == sorted(public)
    assert landscape.__all__ == sorted(landscape.__all__)


def test_every_public_name_says_what_it_is():
    for name in landscape.__all__:
        value = getattr(landscape, name)
        assert value.__doc__, name
        assert value.__module__.startswith("landscape."), name
        assert getattr(importlib.import_module(value.__module__), name) is value
