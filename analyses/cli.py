"""The command ``landscape-plot``: measure checkpoints and draw them side by side.

Its subcommands are the table of analyses, their flags the fields of each one's Settings.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from analyses.curves import Curves
from analyses.export import EXPORTS, export
from analyses.measure import SLICES, measure
from analyses.paper.missing import plot_command
from analyses.paper.summary import Summary, summarise
from analyses.preview import Preview, Watchers
from analyses.questions import Question, read_questions
from analyses.report import without_repetition, write_markdown, write_numbers, write_page
from analyses.style import FORMATS, Look, save_figures, styled
from analyses.subjects import SubjectSettings
from analyses.table import ANALYSES, HELD_OUT
from landscape.console import Parser, add_console_options, run_command, show
from landscape.data.catalog import DataSettings
from landscape.distributed import Ranks, join_ranks
from landscape.errors import InputError, NotMeasurableError
from landscape.files import make_directory
from landscape.objective import Objective
from landscape.options import add_options, argument_type, key_value, read_options
from landscape.progress import be_quiet, message
from landscape.results import Result
from landscape.work import Work

EXAMPLES = """\
examples:
  landscape-plot surface checkpoints/digits-vit checkpoints/digits-vit-sam \\
                 --x=-1:1:51 --y=-1:1:51 --output-dir figures/digits
  landscape-plot hessian plain=runs/a/last.pt sam=runs/b/last.pt --top 10
  landscape-plot sparsity weights.pth --model my_net.py:make \\
                 --data my_data.py:load
  landscape-plot hessian ViT-B_16.npz --model vit-b16 --data imagefolder \\
                 --data-dir imagenet --split val
"""
USAGE = "landscape-plot {} [options] [LABEL=]CHECKPOINT ..."
REPORT_SUMMARY = "all of these, on one page that opens from disk"
# An interpolation is of two checkpoints, all others of one.
REPORTED = [name for name in ANALYSES if name != "interpolate"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(
        _plot_command,
        build_parser(),
        argv,
        when_interrupted="what is finished is kept; the same command goes on from there",
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
            usage=USAGE.format(name),
            allow_abbrev=False,
        )
        _add_shared(command)
        add_options(command.add_argument_group(name), analysis.Settings)
    report = commands.add_parser(
        "report",
        help=REPORT_SUMMARY,
        description=f"Report: {REPORT_SUMMARY}.",
        usage=USAGE.format("report"),
        allow_abbrev=False,
    )
    report.add_argument(
        "--only",
        type=argument_type(_analyses),
        default=tuple(REPORTED),
        metavar="LIST",
        help="measure and show these analyses alone, such as hessian,ntk (default: all)",
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
        help="a run directory, or any checkpoint file with --model and --data; a result file "
        "(.h5), also of the original tool, is drawn again; LABEL=CHECKPOINT names it in the "
        "pictures",
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
        default=("png", "html", "md"),
        metavar="LIST",
        help=f"pictures in any of {','.join(FORMATS)}; html, md: a page with tables and pictures; "
        "interactive: 3D surfaces to turn, in one HTML file; vts, vtp: for ParaView "
        "(default: png,html,md); none measures and draws nothing",
    )
    output.add_argument("--force", action="store_true", help="measure again what DIR already holds")
    output.add_argument(
        "--preview", action="store_true", help="draw surfaces and lines while they are measured"
    )
    add_options(parser.add_argument_group("pictures of surfaces and lines"), Look)
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


def _analyses(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in REPORTED]
    if unknown:
        raise InputError(f"a report has no {unknown[0]!r}; expected some of {','.join(REPORTED)}")
    return tuple(name for name in REPORTED if name in names)


def _formats(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    formats = tuple(text.split(","))
    known = (*FORMATS, "html", "md", *EXPORTS)
    unknown = sorted(set(formats) - set(known))
    if unknown:
        raise InputError(f"unknown format {', '.join(unknown)}; expected {', '.join(known)}")
    return formats


def _plot_command(arguments: argparse.Namespace) -> None:
    ranks = join_ranks()
    if not ranks.is_first:
        be_quiet(True)
    is_report = arguments.analysis == "report"
    names = list(arguments.only) if is_report else [arguments.analysis]
    settings = {name: read_options(arguments, ANALYSES[name].Settings) for name in names}
    if is_report and "trajectory" in names:  # the flags lay a plane of random directions
        settings["trajectory"] = ANALYSES["trajectory"].Settings(
            seed=read_options(arguments, SubjectSettings).seed
        )
    _check_precision(arguments, names)
    look = read_options(arguments, Look)
    folder = make_directory(arguments.output_dir)
    questions = read_questions(arguments, settings)
    results: dict[str, list[Result]] = {name: [] for name in names}
    reasons: dict[tuple[str, str], str] = {}
    for question in questions:
        if question.maker is not None:
            _measure(question, arguments, results, reasons, ranks, look)
            continue
        assert question.stored is not None
        if isinstance(question.stored, Curves) and ranks.is_first and not is_report:
            _write(question.stored, make_directory(folder / question.label))
        results.setdefault(question.stored.analysis, []).append(question.stored)
    if not ranks.is_first:
        return
    if not any(results.values()):
        raise InputError("nothing could be measured; the messages above say why")
    summary = None
    if is_report:
        ordered = {name: results[name] for name in ANALYSES if name in results}
        results = without_repetition(ordered)
        summary = summarise(ordered, reasons, partial(plot_command, arguments))
    _draw(results, arguments, folder, look, summary)


def _measure(
    question: Question,
    arguments: argparse.Namespace,
    results: dict[str, list[Result]],
    reasons: dict[tuple[str, str], str],
    ranks: Ranks,
    look: Look,
) -> None:
    """Add what is asked of one checkpoint to ``results``; a report keeps reasons for the rest."""
    folder = arguments.output_dir
    objectives: dict[str, Objective] = {}
    known: dict[str, Result] = {}
    for name, asked in question.settings.items():
        preview = Preview(partial(ANALYSES[name].draw, look=look), folder, results[name])
        watch = Watchers(preview) if arguments.preview else None
        try:
            split = question.split(name)
            if split not in objectives:
                objectives[split] = question.objective(name, verify=True)
            work = Work(make_directory(folder / question.label), ranks, watch, known)
            result = measure(name, objectives[split], asked, work, force=arguments.force)
        except InputError as error:
            is_expected = isinstance(error, NotMeasurableError) or name in HELD_OUT
            if arguments.analysis != "report" or not is_expected:
                raise
            reasons[question.label, name] = str(error)
            message(f"{question.label}: no {name}: {error}")
            continue
        if result is not None:
            known[name] = result
            results[name].append(result)
            _show_files(name, folder / question.label)


def _write(result: Result, folder: Path) -> None:
    result.save(folder / f"{result.analysis}.h5")
    result.write_json(folder / f"{result.analysis}.json")
    _show_files(result.analysis, folder)


def _show_files(name: str, folder: Path) -> None:
    show(folder / f"{name}.h5")
    show(folder / f"{name}.json")


def _check_precision(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    precision = getattr(arguments, "precision", "fp32")
    others = [name for name in names if name not in SLICES]
    if precision in ("tf32", "bf16", "auto") and others:
        raise InputError(
            f"--precision {precision} is for {', '.join(SLICES)}; {others[0]} takes fp32 or fp64"
        )


def _draw(
    results: dict[str, list[Result]],
    arguments: argparse.Namespace,
    folder: Path,
    look: Look,
    summary: Summary | None,
) -> None:
    name = arguments.analysis
    if not arguments.format:
        return
    with styled():
        figures = {
            name: ANALYSES[name].draw(found, look) for name, found in results.items() if found
        }
        for drawn in figures.values():
            for path in save_figures(drawn, folder, arguments.format):
                show(path)
        if "html" in arguments.format or name == "report":
            show(write_page(results, figures, folder / f"{name}.html", summary))
        if {"html", "md"} & set(arguments.format) or name == "report":
            show(write_numbers(results, folder / f"{name}.json", summary))
        if "md" in arguments.format:
            show(write_markdown(results, figures, folder / f"{name}.md", summary))
    for found in results.values():
        for path in export(found, folder, arguments.format, look):
            show(path)
