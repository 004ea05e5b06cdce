"""The components of a network, after Table 3 of Chen, Hsieh and Gong (ICLR 2022).

Components are the embedding, attention or token mixing, MLP or channel mixing, and every block;
also queries, keys, values and projections, norms, and the head. They are identified by the module
tree and the usual names, also in models of other libraries; tensors that no rule applies to are
left out.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from torch import nn

from landscape.parameters.groups import Group, tensors_group
from landscape.parameters.layout import ParameterLayout

_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_TOKENS = re.compile(r"tok", re.IGNORECASE)
_PACKED = re.compile(r"(^|\.)(qkv\.(weight|bias)|in_proj_(weight|bias))$")
_PROJECTIONS = {
    "queries": re.compile(r"(^|\.)(q|query|q_proj|to_q)\."),
    "keys": re.compile(r"(^|\.)(k|key|k_proj|to_k)\."),
    "values": re.compile(r"(^|\.)(v|value|v_proj|to_v)\."),
    "projections": re.compile(r"(^|\.)(proj|out_proj|o_proj|to_out(\.0)?|output\.dense)\."),
}
ORDER = (
    "embedding",
    "stem",
    "attention",
    *_PROJECTIONS,
    "token mixing",
    "MLP",
    "channel mixing",
    "convolutions",
    "norms",
    "head",
)


def components(module: nn.Module, layout: ParameterLayout) -> dict[str, Group]:
    """The components of a module.

    A block is the outermost element of a list of modules of one type, such as ``blocks.3`` or
    ``layer1.0``.

    Args:
        module: the model.
        layout: that of its trainable parameters.

    Returns:
        Groups of parameters by component, in the order of :data:`ORDER`, then the blocks in theirs.
        Blocks are numbered from 1 where all are in one list, else named by their path. A module
        without blocks has no components but norms.
    """
    blocks = _blocks(module, layout.names)
    members: dict[str, list[tuple[int, int]]] = defaultdict(list)
    inside = [number for number, block in enumerate(blocks) if block is not None]
    has_tokens = any(_TOKENS.search(layout.names[number]) for number in inside)
    has_attention = any(_ATTENTION.search(layout.names[number]) for number in inside)
    first = "embedding" if has_tokens or has_attention else "stem"
    names = dict.fromkeys(block for block in blocks if block is not None)
    for number, name in enumerate(layout.names):
        stretch = layout.stretches[number]
        if layout.kinds[number] == "norm":
            members["norms"].append(stretch)
        elif number in inside:
            assert blocks[number] is not None
            within = name.removeprefix(f"{blocks[number]}.")
            kind = _kind(within, has_tokens, len(layout.shapes[number]))
            members[kind].append(stretch)
            if kind == "attention":
                for projection, piece in _projections(within, stretch):
                    members[projection].append(piece)
        elif inside:
            members[first if number < inside[0] else "head"].append(stretch)
    groups = {name: Group.of(members[name]) for name in ORDER if members[name]}
    titles = _titles(list(names))
    for path, title in titles.items():
        numbers = [number for number, block in enumerate(blocks) if block == path]
        groups[title] = tensors_group(layout, numbers)
    return groups


def _kind(within: str, has_tokens: bool, dimensions: int) -> str:
    """The component of a tensor inside a block, by its name in the block."""
    if _ATTENTION.search(within):
        return "attention"
    if has_tokens:
        return "token mixing" if _TOKENS.search(within) else "channel mixing"
    return "convolutions" if dimensions == 4 else "MLP"


def _projections(within: str, stretch: tuple[int, int]) -> list[tuple[str, tuple[int, int]]]:
    """The queries, keys, values or projections in a tensor of an attention module.

    A packed tensor has the rows of all queries, then of all keys, then of all values.
    """
    start, stop = stretch
    if _PACKED.search(within) and (stop - start) % 3 == 0:
        third = (stop - start) // 3
        names = ("queries", "keys", "values")
        return [(n, (start + k * third, start + (k + 1) * third)) for k, n in enumerate(names)]
    return [(name, stretch) for name, pattern in _PROJECTIONS.items() if pattern.search(within)]


def block_paths(module: nn.Module) -> dict[str, str]:
    """The titles of a module's blocks by path, in order; empty without blocks.

    Blocks are those of :func:`components`, frozen ones included.
    """
    blocks = _blocks(module, [name for name, _ in module.named_parameters()])
    return _titles(list(dict.fromkeys(block for block in blocks if block is not None)))


def _blocks(module: nn.Module, names: Sequence[str]) -> list[str | None]:
    """The path of each parameter's block, or None."""
    modules = dict(module.named_modules())
    counts: dict[type[nn.Module], int] = defaultdict(int)
    for path, submodule in modules.items():
        if _is_element(path, modules):
            counts[type(submodule)] += 1
    return [_block_of(name, modules, counts) for name in names]


def _block_of(
    name: str, modules: dict[str, nn.Module], counts: dict[type[nn.Module], int]
) -> str | None:
    """The outermost ancestor in a ModuleList, or in a Sequential with others of its type."""
    path = ""
    for step in name.split(".")[:-1]:
        path = f"{path}.{step}" if path else step
        is_listed = isinstance(modules[path.rpartition(".")[0]], nn.ModuleList)
        if _is_element(path, modules) and (is_listed or counts[type(modules[path])] > 1):
            return path
    return None


def _is_element(path: str, modules: dict[str, nn.Module]) -> bool:
    """Whether a module is in a list, is not a list itself and has submodules."""
    lists = (nn.Sequential, nn.ModuleList)
    parent, module = modules.get(path.rpartition(".")[0]), modules[path]
    return (
        isinstance(parent, lists)
        and not isinstance(module, lists)
        and any(True for _ in module.children())
    )


def _titles(paths: list[str]) -> dict[str, str]:
    """The titles of blocks: numbers from 1 where all are in one list, else their paths."""
    if len({path.rpartition(".")[0] for path in paths}) == 1:
        return {path: f"block {k + 1}" for k, path in enumerate(paths)}
    return {path: path for path in paths}
