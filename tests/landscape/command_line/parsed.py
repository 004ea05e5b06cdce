"""What both commands make of words with ``--config FILE`` among them."""

from analyses.cli import _with_config_file as plot_words
from analyses.command.arguments import build_parser as plot_parser
from landscape.command_line.config_file import with_config_file
from landscape.training.command.arguments import build_parser as train_parser


def trained(words):
    """The settings of landscape-train."""
    parser = train_parser()
    return vars(parser.parse_args(with_config_file(parser, words)))


def plotted(words):
    """The settings of landscape-plot."""
    parser = plot_parser()
    return vars(parser.parse_args(plot_words(parser, words)))
