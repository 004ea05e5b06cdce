"""The content of a user's own file and of the files beside it that it imports."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path


def hash_user_files(name: str) -> dict[str, str]:
    """The SHA-256 of the files that FILE.py:FUNCTION is made of.

    These are FILE.py and what it imports from its own folder, also in functions, to any depth.

    Args:
        name: FILE.py:FUNCTION; the file exists.

    Returns:
        The hash of FILE.py under ``FILE.py:FUNCTION`` without its folder, and those of the other
        files under their paths in that folder.
    """
    text, _, function = name.rpartition(":")
    main = Path(text).resolve()
    waiting, contents = [main], dict[Path, bytes]()
    while waiting:
        path = waiting.pop()
        if path not in contents:
            contents[path] = path.read_bytes()
            waiting += _imported(contents[path], main.parent)
    return {
        f"{main.name}:{function}" if path == main else path.relative_to(main.parent).as_posix(): (
            hashlib.sha256(content).hexdigest()
        )
        for path, content in sorted(contents.items())
    }


def _imported(source: bytes, folder: Path) -> Iterator[Path]:
    """The files of ``folder`` that a source imports; of a package all of them."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    for name in names - {"landscape", "analyses"}:  # the toolkit beside which a file may lie
        if (folder / f"{name}.py").is_file():
            yield folder / f"{name}.py"
        if (folder / name / "__init__.py").is_file():
            yield from (folder / name).rglob("*.py")
