"""Files of the repository that are not Markdown, as pages of the site that show their text."""

from collections.abc import Iterator
from pathlib import Path

# Of the examples, each is a page: a file, or a folder with all of its files.
EXAMPLES = "examples"
OTHERS = ("LICENSE", "CITATION.cff")
_LANGUAGES = {".py": "python", ".toml": "toml", ".cff": "yaml"}


def source_pages(root: Path) -> dict[str, str]:
    """Markdown that shows a file or a folder, by its place in the repository.

    Args:
        root: the repository.

    Example:
        >>> sorted(source_pages(Path(".")))[:2]
        ['CITATION.cff', 'LICENSE']
    """
    examples = [
        path.relative_to(root).as_posix()
        for path in sorted((root / EXAMPLES).iterdir())
        if path.suffix == ".py" or (path / "pyproject.toml").is_file()
    ]
    return {place: _page(root / place) for place in (*OTHERS, *examples)}


def _page(path: Path) -> str:
    if path.is_file():
        return "\n".join([f"# {path.name}", "", *_block(path)])
    lines = [f"# {path.name}", ""]
    for file in _files(path):
        lines += [f"## {file.relative_to(path).as_posix()}", "", *_block(file)]
    return "\n".join(lines)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in _LANGUAGES)


def _block(path: Path) -> list[str]:
    fence = "````"  # longer than those in docstrings
    text = path.read_text(encoding="utf-8").rstrip()
    return [f"{fence}{_LANGUAGES.get(path.suffix, 'text')}", text, fence, ""]
