import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import norms
from analyses.norms.result import Norms
from landscape.objective.objective import Objective
from tests.analyses.problems import network, samples
from tests.oracles.cases import BY_NAME


def case_objective(name, batch_size=3):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, batch_size=batch_size, device="cpu", dtype=torch.float64
    )


def direct(values, features):
    """Whole norm and RMS token norm by loops over samples and token vectors."""
    whole, token = [], []
    for sample in values.detach().double():
        vectors = sample.movedim(features, -1).reshape(-1, sample.shape[features])
        squares = [sum(float(v) ** 2 for v in vector) for vector in vectors]
        whole.append(math.sqrt(sum(squares)))
        token.append(math.sqrt(np.mean(squares)))
    return [(np.mean(v), np.std(v, ddof=1) / math.sqrt(len(v))) for v in (whole, token)]


def check(result, layer, is_block, values, features=-1):
    places = zip(result.layers, result.is_block, strict=True)
    place = list(places).index((layer, is_block))
    whole, token = direct(values, features)
    assert result.whole[place] == pytest.approx(whole, rel=1e-10)
    assert result.token[place] == pytest.approx(token, rel=1e-10)


def test_a_mixer():
    case = BY_NAME["mixer"]
    model, (inputs, _) = case.model(), case.data
    result, x = norms.compute(case_objective("mixer")), model.stem(inputs)
    for k, block in enumerate(model.blocks):
        hidden = F.gelu(block.mlp_tokens.fc1(block.norm1(x).transpose(1, 2)))
        check(result, f"blocks.{k}.mlp_tokens.act", False, hidden)
        x = x + block.mlp_tokens.fc2(hidden).transpose(1, 2)
        hidden = F.gelu(block.mlp_channels.fc1(block.norm2(x)))
        check(result, f"blocks.{k}.mlp_channels.act", False, hidden)
        expected = direct(hidden, -1)[0]
        assert result.post_activation(k + 1) == pytest.approx(expected, rel=1e-10)
        x = x + block.mlp_channels.fc2(hidden)
        check(result, f"blocks.{k}", True, x)


def test_channels_of_a_resnet():
    case = BY_NAME["resnet with batch norm"]
    model, (inputs, _) = case.model(), case.data
    result = norms.compute(case_objective("resnet with batch norm"))
    check(result, "act1", False, F.relu(model.bn1(model.conv1(inputs))), 0)


@pytest.mark.parametrize("name", ["vit", "mixer"])
def test_weights(name):
    result = norms.compute(case_objective(name))
    model = case_objective(name).module
    squares = {n: (p.detach().double() ** 2).sum().item() for n, p in model.named_parameters()}
    values = dict(zip(result.components, result.norms, strict=True))
    assert values["whole network"] == pytest.approx(math.sqrt(sum(squares.values())), rel=1e-12)
    block = sum(square for n, square in squares.items() if n.startswith("blocks.0."))
    assert values["block 1"] == pytest.approx(math.sqrt(block), rel=1e-12)
    assert result.sizes[0] == sum(p.numel() for p in model.parameters())


def test_uneven_batches_and_weights_left_alone():
    whole = norms.compute(Objective(network(), samples(), device="cpu", batch_size=25))
    subject = Objective(network(), samples(), device="cpu", batch_size=10)
    before = subject.weights_hash()
    result = norms.compute(subject)
    assert subject.weights_hash() == before
    assert not any(module._forward_hooks for module in subject.module.modules())
    assert result.layers == whole.layers == ("1", "3")
    np.testing.assert_allclose(result.whole, whole.whole, rtol=1e-6)
    assert result.first_middle_last == (1, 1, 2)


def test_no_activations_and_a_round_trip(tmp_path):
    for model in (nn.Linear(4, 3), network()):
        result = norms.compute(Objective(model, samples(), device="cpu"))
        result.save(tmp_path / "norms.h5")
        again = Norms.load(tmp_path / "norms.h5")
        for name, array in result.arrays().items():
            np.testing.assert_array_equal(array.values, again.arrays()[name].values)
        assert again.headline() == result.headline()
        assert len(norms.tabulate([again])[""][0]) == 7
    assert norms.compute(Objective(nn.Linear(4, 3), samples(), device="cpu")).layers == ()


def test_networks_with_and_without_activations_are_drawn():
    for model in (nn.Linear(4, 3), network()):
        result = norms.compute(Objective(model, samples(), device="cpu"))
        assert set(norms.draw([result])) == {"norms"}
