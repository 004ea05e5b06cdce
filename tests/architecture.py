"""What the sources import, read from them without importing any."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("landscape", "analyses")

MOST_LINES = 300
MOST_MODULES = 20

# A package of landscape may import those of lower floors, and its own modules.
FLOORS = (
    {"errors", "estimates"},
    {"runtime"},
    {"parameters"},
    {"autograd", "eigen", "data", "models"},
    {"results"},
    {"objective"},
    {"hooks", "measures", "checkpoints", "robustness"},
    {"command_line"},
    {"curvature", "training"},
    {"directions", "tracking"},
    {"slices"},
    {"cli"},
    {"__main__"},
)

# What takes long to import, and is only needed by some of what the commands do.
SLOW_TO_IMPORT = (
    "torch.distributed.checkpoint",
    "torch.distributed.tensor",
    "scipy.interpolate",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
    "pandas",
)

# Where matplotlib may be imported; in a question also by modules that end in "figures".
DRAWING = ("analyses.drawing", "analyses.formats", "analyses.report", "analyses.command")

# The rooms of a question, and those that each may import.
ROOMS = {
    "settings": set(),
    "result": {"settings"},
    "measure": {"settings", "result"},
    "tables": {"settings", "result"},
    "figures": {"settings", "result"},
}
# Packages of analyses that are no question.
SHARED = {"slices", "drawing", "formats", "report", "command", "inspection"}
# Questions that read the result of another one.
READERS = {"components": {"hessian"}, "similarity": {"hessian"}}


@dataclass(frozen=True)
class Module:
    """A source file, by its dotted name, and the modules that it imports.

    ``names`` are the imported modules; those behind ``if TYPE_CHECKING`` or within functions are
    in ``lazy_names``.
    """

    name: str
    lines: int
    names: frozenset[str]
    lazy_names: frozenset[str]

    @property
    def all_names(self) -> frozenset[str]:
        """Everything that it imports, at any time."""
        return self.names | self.lazy_names


def read_modules(root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> dict[str, Module]:
    """Every module of the packages, by name."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }
    return {name: _read(name, path, set(paths)) for name, path in paths.items()}


def _read(name: str, path: Path, known: set[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    imports: dict[bool, set[str]] = {False: set(), True: set()}
    for node, is_lazy in _walk(ast.parse(text), is_lazy=False):
        if isinstance(node, ast.Import):
            imports[is_lazy] |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                imports[is_lazy].add(module if module in known else node.module)
        elif isinstance(node, ast.Call):
            imports[is_lazy] |= {*_imported_by_text(node)} - {name}
    lazy = imports[True] - imports[False]
    return Module(name, text.count("\n"), frozenset(imports[False]), frozenset(lazy))


def _imported_by_text(call: ast.Call) -> Iterator[str]:
    """The modules that ``import_module("...")`` and its like import, also by ``partial``.

    Of a text that is put together, the package that it starts with.
    """
    names = {getattr(part, "attr", getattr(part, "id", "")) for part in (call.func, *call.args)}
    if names & {"import_module", "import_optional", "__import__"}:
        for argument in call.args:
            parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
            text = parts[0].value if isinstance(parts[0], ast.Constant) else None
            if isinstance(text, str):
                yield text if len(parts) == 1 else text.rpartition(".")[0]


def _walk(node: ast.AST, *, is_lazy: bool) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes, and whether they are executed later than the module's import or never."""
    yield node, is_lazy
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        )
        yield from _walk(child, is_lazy=is_lazy or later)


def long_modules(modules: dict[str, Module]) -> list[str]:
    """Modules of too many lines."""
    return [f"{m.name}: {m.lines} lines" for m in modules.values() if m.lines > MOST_LINES]


def full_folders(root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> list[str]:
    """Folders of too many modules."""
    folders = [
        folder
        for package in packages
        for folder in [root / package, *(root / package).rglob("*")]
        if folder.is_dir()
    ]
    counts = {folder: len(list(folder.glob("*.py"))) for folder in folders}
    return [f"{folder}: {count}" for folder, count in counts.items() if count > MOST_MODULES]


def circles(modules: dict[str, Module]) -> list[str]:
    """Modules that import each other, whatever the way round and whenever it is executed."""
    cycles: list[str] = []
    state: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        state[name] = 1
        path.append(name)
        for imported in sorted(modules[name].all_names & modules.keys()):
            if state.get(imported) == 1:
                cycles.append(" -> ".join([*path[path.index(imported) :], imported]))
            elif imported not in state:
                visit(imported)
        path.pop()
        state[name] = 2

    for name in modules:
        if name not in state:
            visit(name)
    return cycles


def broken_floors(modules: dict[str, Module]) -> list[str]:
    """Imports within landscape that go up or sideways, and any of analyses."""
    level = {package: number for number, floor in enumerate(FLOORS) for package in floor}
    broken = []
    for module in modules.values():
        parts = module.name.split(".")
        if parts[0] != "landscape" or len(parts) < 2:
            continue
        for imported in sorted(module.all_names):
            target = imported.split(".")
            if target[0] == "analyses" or (
                target[0] == "landscape"
                and len(target) > 1
                and target[1] != parts[1]
                and not level[target[1]] < level[parts[1]]
            ):
                broken.append(f"{module.name} imports {imported}")
    return broken


def slow_imports(modules: dict[str, Module], command: str) -> list[str]:
    """What a command imports at its start that takes long, and who imports it."""
    waiting, met, slow = [command], set(), []
    while waiting:
        name = waiting.pop()
        if name in met or name not in modules:
            continue
        met.add(name)
        waiting += [*modules[name].names, name.rpartition(".")[0]]
        slow += [
            f"{name} imports {imported}"
            for imported in sorted(modules[name].names)
            if f"{imported}.".startswith(tuple(f"{library}." for library in SLOW_TO_IMPORT))
        ]
    return slow


def needless_matplotlib(modules: dict[str, Module]) -> list[str]:
    """Modules that import matplotlib and do not draw."""
    return [
        module.name
        for module in modules.values()
        if any(name.split(".")[0] == "matplotlib" for name in module.names)
        and not module.name.startswith(DRAWING)
        and not (module.name.startswith("analyses.") and module.name.endswith("figures"))
    ]


def broken_rooms(modules: dict[str, Module], questions: set[str]) -> list[str]:
    """Imports between the rooms of a question, or from another question, that are not allowed."""
    broken = []
    for module in modules.values():
        parts = module.name.split(".")
        if parts[0] != "analyses":
            continue
        question = parts[1] if len(parts) > 1 else ""
        for imported in sorted(module.all_names):
            target = imported.split(".")
            if target[0] != "analyses" or len(target) < 2 or target[1] not in questions:
                continue
            if question not in questions:
                if not is_allowed_to_name_questions(module.name):
                    broken.append(f"{module.name} imports {imported}")
            elif target[1] != question:
                if target[1] not in READERS.get(question, set()):
                    broken.append(f"{module.name} imports {imported}")
            elif (
                len(parts) > 2
                and len(target) > 2
                and target[2] in ROOMS
                and parts[2] in ROOMS
                and target[2] not in ROOMS[parts[2]]
            ):
                broken.append(f"{module.name} imports {imported}")
    return broken


def is_allowed_to_name_questions(module: str) -> bool:
    """Whether a module that is not a question's may name particular questions."""
    return module == "analyses.catalog" or module.startswith("analyses.report.paper")


def named_questions(root: Path, questions: set[str]) -> list[str]:
    """Texts that are a question's name in modules that should know none in particular.

    Docstrings are not read.
    """
    named = []
    for path in sorted((root / "analyses").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        parts = module.split(".")
        if is_allowed_to_name_questions(module) or (len(parts) > 1 and parts[1] in questions):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named += [
            f"{module}:{node.lineno}: {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and node.value in questions
        ]
    return named
