"""The command ``landscape-plot``: measure checkpoints and draw them side by side.

Its subcommands are the table of analyses, their flags the fields of each one's Settings.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from analyses.curves import Curves, of_run
from analyses.export import EXPORTS, export
from analyses.measure import SLICES, measure
from analyses.preview import Preview, Watchers
from analyses.report import write_markdown, write_numbers, write_page
from analyses.stored import is_result_file, read_result
from analyses.style import FORMATS, Look, save_figures, styled
from analyses.subjects import ObjectiveMaker, Subject, SubjectSettings, parse_subjects
from analyses.table import ANALYSES
from landscape.console import Parser, add_console_options, run_command, show
from landscape.data.catalog import DataSettings
from landscape.distributed import join_ranks
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
    names = list(ANALYSES) if is_report else [arguments.analysis]
    settings = {name: read_options(arguments, ANALYSES[name].Settings) for name in names}
    if is_report:  # its flags lay a plane of random directions, which this one is not
        settings["trajectory"] = ANALYSES["trajectory"].Settings(seed=settings["surface"].seed)
    _check_precision(arguments, names)
    look = read_options(arguments, Look)
    folder = make_directory(arguments.output_dir)
    questions = _questions(arguments, settings)
    results: dict[str, list[Result]] = {name: [] for name in names}
    for question in questions:
        objective = question.objective(verify=True) if question.maker else None
        for name, asked in question.settings.items():
            result = question.stored
            if isinstance(result, Curves) and ranks.is_first:
                _write(result, make_directory(folder / question.label))
            if objective is not None:
                preview = Preview(partial(ANALYSES[name].draw, look=look), folder, results[name])
                watch = Watchers(preview) if arguments.preview else None
                work = Work(make_directory(folder / question.label), ranks, watch)
                try:
                    result = measure(name, objective, asked, work, force=arguments.force)
                except NotMeasurableError as error:
                    if not is_report:
                        raise
                    message(f"{question.label}: no {name}: {error}")
                    continue
                if result is not None:
                    _show_files(name, folder / question.label)
            if result is not None:
                results[name].append(result)
    if not ranks.is_first:
        return
    if not any(results.values()):
        raise InputError("nothing could be measured; the messages above say why")
    _draw(results, arguments, folder, look)


@dataclass(frozen=True)
class _Question:
    """What is asked of one subject: analyses with their settings, or a result that is there."""

    label: str
    settings: dict[str, Any]
    subject: Subject
    maker: ObjectiveMaker | None = None
    stored: Result | None = None

    def objective(self, *, verify: bool) -> Objective:
        assert self.maker is not None
        objective = self.maker.make(self.subject, verify=verify)
        objective.origin["label"] = self.label
        return objective


def _questions(arguments: argparse.Namespace, settings: dict[str, Any]) -> list[_Question]:
    """Every question of the command line, each tried out so far that what is wrong shows early."""
    maker = ObjectiveMaker(arguments)
    subjects = parse_subjects(arguments.checkpoints)
    files = [subject for subject in subjects if is_result_file(subject.path)]
    if files and len(settings) > 1:
        raise InputError(f"{files[0].path} is a result; a report takes checkpoints")
    checkpoints = [subject for subject in subjects if subject not in files]
    if list(settings) == ["curves"]:  # they need neither data nor weights
        return [
            _Question(one.label, settings, one, None, _curves(one, settings["curves"]))
            for one in subjects
        ]
    if list(settings) == ["interpolate"]:
        questions = _pairs(checkpoints, settings["interpolate"], maker) if checkpoints else []
    else:
        asked = {name: one for name, one in settings.items() if name != "interpolate"}
        questions = [_Question(one.label, asked, one, maker) for one in checkpoints]
    if len(questions) > 1:  # what is wrong with the last is said before the first is measured
        for question in questions:
            question.objective(verify=False)
    drawn = [_Question(one.label, settings, one, None, _read(one, settings)) for one in files]
    place = {subject: number for number, subject in enumerate(subjects)}
    return sorted([*drawn, *questions], key=lambda question: place[question.subject])


def _curves(subject: Subject, settings: Any) -> Result:
    if is_result_file(subject.path):
        return read_result(subject, "curves")
    return of_run(subject.path, subject.label, settings)


def _write(result: Result, folder: Path) -> None:
    result.save(folder / f"{result.analysis}.h5")
    result.write_json(folder / f"{result.analysis}.json")
    _show_files(result.analysis, folder)


def _show_files(name: str, folder: Path) -> None:
    show(folder / f"{name}.h5")
    show(folder / f"{name}.json")


def _read(subject: Subject, settings: dict[str, Any]) -> Result:
    (name,) = settings
    return read_result(subject, name)


def _pairs(subjects: list[Subject], settings: Any, maker: ObjectiveMaker) -> list[_Question]:
    """The first checkpoint with each of the others."""
    if len(subjects) < 2:
        raise InputError("interpolate takes two or more checkpoints: the first with each other one")
    first, *others = subjects
    for other in others:
        maker.make(other, verify=False)  # that it is there and can be read
    return [
        _Question(
            f"{first.label}-to-{other.label}",
            {"interpolate": replace(settings, toward_x=str(other.path))},
            first,
            maker,
        )
        for other in others
    ]


def _check_precision(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    precision = getattr(arguments, "precision", "fp32")
    others = [name for name in names if name not in SLICES]
    if precision in ("tf32", "bf16", "auto") and others:
        raise InputError(
            f"--precision {precision} is for {', '.join(SLICES)}; {others[0]} takes fp32 or fp64"
        )


def _draw(
    results: dict[str, list[Result]], arguments: argparse.Namespace, folder: Path, look: Look
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
            show(write_page(results, figures, folder / f"{name}.html"))
        if {"html", "md"} & set(arguments.format) or name == "report":
            show(write_numbers(results, folder / f"{name}.json"))
        if "md" in arguments.format:
            show(write_markdown(results, figures, folder / f"{name}.md"))
    for found in results.values():
        for path in export(found, folder, arguments.format, look):
            show(path)
