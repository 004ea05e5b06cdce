"""The first MLP is the same in norms and sparsity, and what the row titles say."""

import pytest
import torch

from analyses import norms, sparsity
from analyses.report.paper.quantities import ROWS
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME

PATHS = {
    "vit": "blocks.0.mlp.act",
    "mixer": "blocks.0.mlp_channels.act",
    "resnet with batch norm": "act1",
}


@pytest.mark.parametrize(("name", "path"), PATHS.items())
def test_norm_and_active_share_are_of_one_layer(name, path):
    case = BY_NAME[name]
    objective = Objective(case.model(), case.data, device="cpu", dtype=torch.float64)
    outputs = []
    model = case.model()
    model.get_submodule(path).register_forward_hook(lambda _m, _i, output: outputs.append(output))
    model(case.data[0].double())
    norm = ROWS["first_activation"].read(norms.compute(objective))
    active = ROWS["first_active"].read(sparsity.compute(objective))
    values = outputs[0].detach().flatten(1)
    assert norm.value == pytest.approx(values.norm(dim=1).mean().item(), rel=1e-10)
    assert active.value == pytest.approx(100 * (values > 0).double().mean().item(), rel=1e-10)
    assert path in active.method


def test_the_titles_name_the_mlp():
    for name in ("first_activation", "middle_activation", "last_activation", "first_active"):
        assert "MLP (Mixer: channel mixing)" in ROWS[name].title
