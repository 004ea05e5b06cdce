import re
import sys
import tomllib
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch

from landscape.runtime.optional_imports import with_torchvision

ROOT = Path(__file__).parents[3]

# A package that asks at its import for an operator that nobody registered, as torchvision does
# when its compiled half doesn't fit.
BROKEN = """
from torchvision import part
import torch

@torch.library.register_fake("torchvision::{operator}")
def fake(dets, scores, iou):
    return dets
"""


@pytest.fixture
def torchvision(tmp_path, monkeypatch):
    """Write a package torchvision that asks for an operator; gone from sys.modules afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in list(sys.modules):
        if name.partition(".")[0] == "torchvision":
            monkeypatch.delitem(sys.modules, name)

    def write(operator):
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision" / "part.py").write_text("value = 3\n")
        source = BROKEN.format(operator=operator)
        (tmp_path / "torchvision" / "__init__.py").write_text(source)

    yield write
    for name in list(sys.modules):
        if name.partition(".")[0] == "torchvision":
            del sys.modules[name]


def test_missing_operators_are_declared(torchvision, monkeypatch, capsys):
    torchvision("nms")
    module = with_torchvision(partial(import_module, "torchvision"))
    assert module.part.value == 3
    assert hasattr(torch.ops.torchvision, "nms")


def test_another_missing_operator_stays_an_error(torchvision):
    torchvision("no_such_operator")
    with pytest.raises(RuntimeError, match="no_such_operator"):
        with_torchvision(partial(import_module, "torchvision"))
    assert "torchvision" not in sys.modules


def test_another_error_is_not_tried_again():
    calls = []

    def load():
        calls.append(1)
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        with_torchvision(load)
    assert calls == [1]


def test_every_extra_is_named_where_its_library_is_missing_and_no_other_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sources = [path for name in ("landscape", "analyses") for path in (ROOT / name).rglob("*.py")]
    text = "".join(path.read_text() for path in sources)
    named = set(re.findall(r"pip install 'loss-landscape-toolkit\[(\w+)\]'", text))
    extras = {name for name, needed in project["optional-dependencies"].items() if needed}
    assert named == extras - {"dev", "docs"}
    # No message names a library in place of the extra that has its version.
    assert "pip install" not in re.sub(r"pip install 'loss-landscape-toolkit\[", "", text)
