"""Which networks of a report are compared with each other."""

import pytest

from analyses.report.paper.pairs import augmentation_pairs, basic, sam_pairs
from tests.analyses.report.paper.planted import network_of, origin_of


def trained(label, family="vit", rho=0.0, mixup=0.0, randaugment=(), **settings):
    """A network under its label, with settings of its training."""
    network = network_of(label, family, rho)
    training = {"rho": rho, "mixup": mixup, "randaugment": list(randaugment), **settings}
    origin = {**origin_of(family, rho), "training": training}
    network.runs[0].provenance.origin.update(origin)
    return network


def labels(pairs):
    return [(first.label, second.label) for first, second in pairs]


VIT = trained("vit", epochs=9)
SAM = trained("sam", rho=0.1, sam="asam", seed=5, epochs=9)
STRONG = trained("strong", mixup=0.2, augment="crop-flip", epochs=9)
BOTH = trained("both", rho=0.1, randaugment=(2, 9), mixup=0.2, augment="crop-flip", epochs=9)
MIXER = trained("mixer", "mixer")
EVERYTHING = [BOTH, SAM, STRONG, VIT, MIXER]


def test_sam_is_compared_at_the_same_augmentation():
    assert labels(sam_pairs(EVERYTHING)) == [("strong", "both"), ("vit", "sam")]
    assert labels(sam_pairs([BOTH, VIT])) == []


def test_augmentation_is_compared_without_sam():
    assert labels(augmentation_pairs(EVERYTHING)) == [("vit", "strong")]
    assert labels(augmentation_pairs([BOTH, SAM, VIT])) == []


def test_the_network_that_is_most_alike_is_the_other_one():
    longer = trained("longer", epochs=20)
    assert labels(sam_pairs([longer, VIT, SAM])) == [("vit", "sam")]
    assert labels(augmentation_pairs([longer, VIT, STRONG])) == [("vit", "strong")]
    twin = trained("twin", epochs=9, seed=7)
    assert labels(sam_pairs([twin, VIT, SAM])) == [("twin", "sam")]


def test_strong_augmentation_is_left_out_where_there_is_a_network_without():
    assert [network.label for network in basic(EVERYTHING)] == ["sam", "vit", "mixer"]
    assert basic([BOTH, STRONG, MIXER]) == [BOTH, STRONG, MIXER]


@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_the_training_of_others_is_not_known(mixup):
    other = network_of("timm", "timm:vit_base", None)
    assert other.with_strong_augmentation is None
    assert trained("ours", mixup=mixup).with_strong_augmentation is (mixup > 0)
    assert augmentation_pairs([other, VIT]) == []
