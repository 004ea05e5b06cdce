"""The subcommands and flags of ``landscape-plot``.

The subcommands are the table of analyses, their flags the fields of each one's Settings.
"""

import argparse
from pathlib import Path

from analyses.export import EXPORTS
from analyses.style import FORMATS, Look
from analyses.subjects import SubjectSettings
from analyses.table import ANALYSES
from landscape.console import Parser, add_console_options
from landscape.data.catalog import DataSettings
from landscape.errors import InputError
from landscape.options import add_options, argument_type, key_value

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
