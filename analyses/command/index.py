"""The index of analyses, as Markdown: that of docs/analyses, and of what is installed here."""

from analyses.catalog import known_analyses

REPORT = ("report", "all of it, and which of the paper's claims it supports", "all")


def index_of_analyses(*, with_links: bool = False) -> str:
    """A table of every analysis, its question and its place in the paper.

    Args:
        with_links: whether names link to their pages of docs/analyses.
    """
    rows = [
        (analysis.name, analysis.question, analysis.in_paper)
        for analysis in known_analyses().values()
    ]
    lines = ["| command | question | in the paper |", "|---|---|---|"]
    for name, question, in_paper in (*rows, REPORT):
        command = f"[{name}]({name}.md)" if with_links else name
        lines.append(f"| {command} | {question} | {in_paper} |".replace("|  |", "| |"))
    return "\n".join(lines)
