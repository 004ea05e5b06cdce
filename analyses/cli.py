"""The command ``landscape-plot``: measure checkpoints and draw them side by side.

Its subcommands are the table of analyses, their flags the fields of each one's Settings.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from analyses.measure import find_stored, measure
from analyses.report import write_page
from analyses.style import FORMATS, save_figures, styled
from analyses.subjects import ObjectiveMaker, SubjectSettings, parse_subjects
from analyses.table import ANALYSES
from landscape.console import Parser, add_console_options, run_command, show
from landscape.data.catalog import DataSettings
from landscape.errors import InputError, NotMeasurableError
from landscape.files import make_directory
from landscape.options import add_options, argument_type, key_value, read_options
from landscape.progress import message
from landscape.results import Result

EXAMPLES = """\
examples:
  landscape-plot surface checkpoints/digits-vit checkpoints/digits-vit-sam \\
                 --x=-1:1:51 --y=-1:1:51 --output-dir figures/digits
  landscape-plot hessian plain=runs/a/last.pt sam=runs/b/last.pt --top 10
  landscape-plot sparsity weights.pth --model my_net.py:make --data my_data.py:load
  landscape-plot hessian ViT-B_16.npz --model vit-b16 --data imagefolder \\
                 --data-dir imagenet --split val
"""
REPORT_SUMMARY = "all of these, on one page that opens from disk"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(
        _plot_command,
        build_parser(),
        argv,
        when_interrupted="the same command goes on with the checkpoints that are not finished",
    )


def build_parser() -> Parser:
    """The subcommands and flags of landscape-plot."""
    parser = Parser(
        prog="landscape-plot",
        description="Measure trained networks and draw them side by side.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        dest="analysis", required=True, metavar="ANALYSIS", parser_class=Parser
    )
    for name, analysis in ANALYSES.items():
        command = commands.add_parser(
            name,
            help=analysis.SUMMARY,
            description=f"{analysis.TITLE}: {analysis.SUMMARY}.",
            allow_abbrev=False,
        )
        _add_shared(command)
        add_options(command.add_argument_group(name), analysis.Settings)
    report = commands.add_parser(
        "report", help=REPORT_SUMMARY, description=f"Report: {REPORT_SUMMARY}.", allow_abbrev=False
    )
    _add_shared(report)
    seen: set[str] = set()
    for name, analysis in ANALYSES.items():
        add_options(report.add_argument_group(name), analysis.Settings, skip=seen)
    return parser


def _add_shared(parser: Parser) -> None:
    parser.add_argument(
        "checkpoints",
        nargs="+",
        metavar="CHECKPOINT",
        help="a run directory, or any checkpoint file with --model and --data; "
        "LABEL=CHECKPOINT names it in the pictures",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output-dir",
        type=Path,
        default=Path("figures"),
        metavar="DIR",
        help="where results and pictures go (default: figures)",
    )
    output.add_argument(
        "--format",
        type=argument_type(_formats),
        default=("png", "html"),
        metavar="LIST",
        help=f"pictures in any of {','.join(FORMATS)}, and html: a page with tables and pictures "
        "(default: png,html); none measures and draws nothing",
    )
    output.add_argument("--force", action="store_true", help="measure again what DIR already holds")
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        metavar="NAME",
        help="a name landscape-train knows, timm:NAME or FILE.py:FUNCTION",
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
        "--trust",
        action="store_true",
        help="load checkpoints that hold more than tensors; this runs code they contain",
    )
    add_options(parser.add_argument_group("data"), DataSettings)
    add_options(parser.add_argument_group("measurement"), SubjectSettings)
    add_console_options(parser)


def _formats(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    formats = tuple(text.split(","))
    known = (*FORMATS, "html")
    unknown = sorted(set(formats) - set(known))
    if unknown:
        raise InputError(f"unknown format {', '.join(unknown)}; expected {', '.join(known)}")
    return formats


def _plot_command(arguments: argparse.Namespace) -> None:
    is_report = arguments.analysis == "report"
    names = list(ANALYSES) if is_report else [arguments.analysis]
    settings = {name: read_options(arguments, ANALYSES[name].Settings) for name in names}
    subjects = parse_subjects(arguments.checkpoints)
    maker = ObjectiveMaker(arguments)
    folder = make_directory(arguments.output_dir)
    if len(subjects) > 1:  # what is wrong with the last is said before the first is measured
        for subject in subjects:
            objective = maker.make(subject, verify=False)
            for name in () if arguments.force else names:
                find_stored(name, objective, settings[name], folder / subject.label)
    results: dict[str, list[Result]] = {name: [] for name in names}
    for subject in subjects:
        objective = maker.make(subject)
        place = make_directory(folder / subject.label)
        for name in names:
            try:
                result = measure(name, objective, settings[name], place, force=arguments.force)
            except NotMeasurableError as error:
                if not is_report:
                    raise
                message(f"{subject.label}: no {name}: {error}")
                continue
            results[name].append(result)
            show(place / f"{name}.h5")
            show(place / f"{name}.json")
    if not any(results.values()):
        raise InputError("nothing could be measured; the messages above say why")
    if not arguments.format:
        return
    with styled():
        figures = {name: ANALYSES[name].draw(found) for name, found in results.items() if found}
        for drawn in figures.values():
            for path in save_figures(drawn, folder, arguments.format):
                show(path)
        if "html" in arguments.format or is_report:
            show(write_page(results, figures, folder / f"{arguments.analysis}.html"))
