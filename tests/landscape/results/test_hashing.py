import hashlib

import pytest
import torch

from landscape.results.hashing import hash_tensors


@pytest.mark.parametrize(
    "tensor",
    [torch.arange(6.0).view(2, 3), torch.tensor(3), torch.tensor([True]), torch.zeros(0)],
)
def test_the_hash_is_of_type_shape_and_bytes(tensor):
    digest = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    digest.update(tensor.numpy().tobytes())
    assert hash_tensors([tensor]) == digest.hexdigest()


def test_types_that_numpy_does_not_have():
    first = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    assert hash_tensors([first]) == hash_tensors([first.clone()])
    assert len({hash_tensors([first]), hash_tensors([-first]), hash_tensors([first.float()])}) == 3
