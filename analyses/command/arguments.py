"""The subcommands and flags of ``landscape-plot``.

The subcommands are the analyses, their flags the fields of each one's Settings.
"""

import argparse
from functools import cache
from pathlib import Path

from analyses.analysis import Takes
from analyses.catalog import known_analyses
from analyses.command.index import index_of_analyses
from analyses.command.settings import MeasurementSettings
from analyses.drawing.options import EXPORTS, FORMATS, PageOptions, PlotOptions
from analyses.inspection.arguments import add_inspections
from landscape.command_line.completion import add_completion_option
from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.runtime.console import Parser, add_console_options, add_trust_option, show
from landscape.runtime.options import add_options, argument_type, folder_path, key_value

USAGE = "landscape-plot {} [options] [LABEL=]CHECKPOINT ..."
REPORT_SUMMARY = "all of these, on one page that opens from disk"


class _ListAnalyses(argparse.Action):
    """Prints the index of analyses and exits."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        show(*index_of_analyses().splitlines())
        parser.exit()


@cache
def build_parser() -> Parser:
    """The parser of landscape-plot."""
    examples = [example for analysis in known_analyses().values() for example in analysis.examples]
    parser = Parser(
        prog="landscape-plot",
        description="Measure trained networks and draw them side by side.",
        epilog="\n".join(["examples:", *(f"  {example}" for example in examples)]) + "\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--list",
        action=_ListAnalyses,
        nargs=0,
        help="print all analyses, those of installed packages too, with their questions",
    )
    add_completion_option(parser)
    commands = parser.add_subparsers(
        dest="analysis", required=True, metavar="ANALYSIS", parser_class=Parser
    )
    for name, analysis in known_analyses().items():
        command = commands.add_parser(
            name,
            help=analysis.summary,
            description=f"{analysis.title}: {analysis.summary}.",
            usage=USAGE.format(name),
            allow_abbrev=False,
        )
        _add_shared(command)
        add_options(command.add_argument_group(name), analysis.settings)
    _add_report(commands)
    add_inspections(commands)
    return parser


def reported_analyses() -> list[str]:
    """The analyses that a report is made of: those of one checkpoint or its run."""
    return [name for name, analysis in known_analyses().items() if analysis.takes is not Takes.PAIR]


def _add_report(commands: "argparse._SubParsersAction[Parser]") -> None:
    report = commands.add_parser(
        "report",
        help=REPORT_SUMMARY,
        description=f"Report: {REPORT_SUMMARY}.",
        usage=USAGE.format("report"),
        allow_abbrev=False,
    )
    report.add_argument(
        "--only",
        type=argument_type(_some_analyses),
        default=tuple(reported_analyses()),
        metavar="LIST",
        help="measure and show these analyses alone, a list with commas (default: all)",
    )
    _add_shared(report)
    seen: set[str] = set()
    for name, analysis in known_analyses().items():
        add_options(report.add_argument_group(name), analysis.settings, skip=seen)


def _add_shared(parser: Parser) -> None:
    parser.add_argument(
        "checkpoints",
        nargs="*",
        metavar="CHECKPOINT",
        help="a run directory, or any checkpoint file with --model and --data; a folder of Hugging "
        "Face, or FILE.py:FUNCTION that returns a trained model, with --data alone; a result file "
        "(.h5), also of the original tool, is drawn again; LABEL=CHECKPOINT names it in the "
        "pictures",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output-dir",
        type=argument_type(folder_path),
        default=Path("figures"),
        metavar="DIR",
        help="where results and pictures go (default: figures)",
    )
    output.add_argument(
        "--format",
        type=argument_type(_formats),
        default=("png", "html", "md"),
        metavar="LIST",
        help=f"pictures in any of {','.join(FORMATS)}; html, md: a page with tables and pictures; "
        "csv: the headline numbers with errors and units, also beside each result's JSON; "
        "interactive: 3D surfaces to turn, in one HTML file; vts, vtp: for ParaView "
        "(default: png,html,md); none measures and draws nothing",
    )
    output.add_argument("--force", action="store_true", help="measure again what DIR already holds")
    output.add_argument(
        "--preview", action="store_true", help="draw surfaces and lines while they are measured"
    )
    add_options(output, PageOptions)
    add_options(parser.add_argument_group("pictures of surfaces and lines"), PlotOptions)
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        metavar="NAME",
        help="a name landscape-train knows, timm:NAME, torchvision:NAME, hf:DIR or "
        "FILE.py:FUNCTION; without a CHECKPOINT the last two are measured as they are",
    )
    model.add_argument(
        "--model-args",
        nargs="+",
        type=argument_type(key_value),
        default=[],
        metavar="KEY=VALUE",
        help="sizes and options of the model",
    )
    model.add_argument(
        "--weights-key",
        default="",
        metavar="KEY",
        help="where the weights are in the checkpoint files, with dots for nested keys (default: "
        "wherever weights fit the model, averaged ones (EMA) first; a message says which)",
    )
    add_trust_option(model)
    add_options(parser.add_argument_group("data"), DataSettings)
    add_options(parser.add_argument_group("measurement"), MeasurementSettings)
    add_console_options(parser)


def _some_analyses(text: str) -> tuple[str, ...]:
    names, known = tuple(text.split(",")), reported_analyses()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"a report has no {unknown[0]!r}; expected some of {','.join(known)}")
    return tuple(name for name in known if name in names)


def _formats(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    formats = tuple(text.split(","))
    known = (*FORMATS, "html", "md", "csv", *EXPORTS)
    unknown = sorted(set(formats) - set(known))
    if unknown:
        raise InputError(f"unknown format {', '.join(unknown)}; expected {', '.join(known)}")
    return formats
