"""The flags of ``landscape-train``; most are fields of its settings.

This module imports no torch, so that ``--help`` answers at once.
"""

import argparse
from functools import cache

from landscape.command_line.completion import add_completion_option
from landscape.data.settings import DataSettings
from landscape.models.names import FAMILIES, NAMED
from landscape.runtime.console import Parser, add_console_options, add_trust_option, show
from landscape.runtime.options import (
    add_options,
    argument_type,
    folder_path,
    key_value,
    whole_number,
)
from landscape.training.settings import SECTIONS

EXAMPLES = """\
examples:
  landscape-train --recipe vit-tiny-digits-sam --output-dir checkpoints/vit-sam
  landscape-train --model vit-tiny --data digits --rho 0.1 \\
                  --output-dir checkpoints/my-vit-sam
  landscape-train --resume --output-dir checkpoints/my-vit-sam
  landscape-train --recipe vit-tiny-digits --seeds 0 1 2 \\
                  --output-dir checkpoints/vit
  landscape-train --recipe resnet-tiny-cifar10 \\
                  --data-dir cifar-10-python.tar.gz --output-dir checkpoints/resnet
  torchrun --nproc-per-node 8 --no-python \\
  landscape-train --recipe vit-b16-imagenet-sam --data-dir /data/imagenet \\
                  --output-dir checkpoints/vit-b16-sam
"""


class _ListRecipes(argparse.Action):
    """Prints the recipes and exits, whatever else is given or missing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        # Counting the parameters of the models needs torch.
        from landscape.training.recipes.catalog import recipe_table

        show(*recipe_table().splitlines())
        parser.exit()


@cache
def build_parser() -> Parser:
    """Make the parser of landscape-train."""
    parser = Parser(
        prog="landscape-train",
        description="Train a ViT, MLP-Mixer, ResNet or a model of your own,\n"
        "with or without sharpness-aware minimisation (SAM).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--output-dir",
        required=True,
        type=argument_type(folder_path),
        metavar="RUN",
        help="the run directory to write",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in RUN; needs no other flag, "
        "but for names that run code: the same --model and --data FILE.py:FUNCTION, or --trust",
    )
    parser.add_argument(
        "--seeds",
        type=argument_type(whole_number),
        nargs="+",
        default=[],
        metavar="N",
        help="train once with each of these seeds, into RUN/seed-N: replicates, from which the "
        "spread of a result over trainings is known",
    )
    parser.add_argument("--force", action="store_true", help="replace the run in RUN")
    parser.add_argument(
        "--recipe", metavar="NAME", help="settings by name, which other flags override"
    )
    parser.add_argument(
        "--list-recipes", action=_ListRecipes, nargs=0, help="print all recipes with their sources"
    )
    add_completion_option(parser)
    parser.add_argument(
        "--eval",
        nargs="+",
        default=[],
        metavar="NAME=DIR",
        help="in the end, write accuracies on further sets to RUN/evaluation.json: folders laid "
        "out like ImageNet-V2, -R or -C; NAME=real.json for ImageNet-ReaL; corruptions: the 15 "
        "families of ImageNet-C, made of the validation pictures; pgd: 10 steps of PGD on these",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        metavar="NAME",
        help=f"{', '.join(NAMED)}; {', '.join(FAMILIES)} with all sizes in --model-args; "
        "timm:NAME; or FILE.py:FUNCTION",
    )
    model.add_argument(
        "--model-args",
        nargs="+",
        type=argument_type(key_value),
        default=[],
        metavar="KEY=VALUE",
        help="sizes and options of the model, such as depth=6 dropout=0.1",
    )
    add_trust_option(model)
    add_options(parser.add_argument_group("data"), DataSettings)
    for title, settings in SECTIONS.items():
        add_options(parser.add_argument_group(title), settings)
    add_console_options(parser)
    return parser
