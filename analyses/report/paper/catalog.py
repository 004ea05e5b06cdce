"""The paper's claims, and what these networks say of each."""

from collections.abc import Sequence

from analyses.report.paper.claims import (
    Claim,
    Judgement,
    between,
    corrected,
    gains,
    with_augmentation,
    with_sam,
    within,
)
from analyses.report.paper.pairs import basic, sam_pairs
from analyses.report.paper.subjects import Network

FLATTER = Claim(
    "SAM lowers λ_max",
    "SAM finds flatter minima: λ_max falls.",
    "Table 1",
    with_sam("sharpness", more=False),
)
BETTER = Claim(
    "SAM raises held-out accuracy",
    "SAM raises held-out accuracy.",
    "Table 2",
    with_sam("accuracy", more=True),
)
CLAIMS = (
    Claim(
        "λ_max without SAM: ResNet < ViT < Mixer",
        "Without SAM a ViT converges to a sharper minimum than a ResNet, and a Mixer to a sharper "
        "one still: λ_max rises in this order.",
        "Table 1",
        between("sharpness", "ResNet", "ViT", "Mixer"),
    ),
    Claim(
        "κ at initialisation: ResNet < ViT < Mixer",
        "At initialisation a ViT is harder to train than a ResNet, and a Mixer harder still: the "
        "condition number of the neural tangent kernel rises in this order.",
        "Table 1",
        between("kappa", "ResNet", "ViT", "Mixer"),
    ),
    FLATTER,
    Claim(
        "SAM lowers the loss under weight noise",
        "SAM flattens the surroundings on average, too: the loss under weight noise "
        "falls; here at two sizes of noise, since the paper does not state its own.",
        "Table 1",
        with_sam("noisy_loss", "noisiest_loss", more=False),
    ),
    Claim(
        "SAM raises the training loss",
        "SAM raises the training loss.",
        "Table 1",
        with_sam("train_loss", more=True),
    ),
    BETTER,
    Claim(
        "SAM raises accuracy on corrupted pictures",
        "SAM raises the accuracy on corrupted pictures.",
        "Table 2",
        with_sam("corruption_accuracy", more=True),
    ),
    Claim(
        "SAM gains ResNet less than ViT, Mixer",
        "SAM gains a ViT and a Mixer more accuracy than a ResNet.",
        "Table 2",
        gains("accuracy", "ResNet", "ViT", "Mixer"),
    ),
    Claim(
        "The first block is sharper than the last",
        "Shallow layers are sharper than deep ones: the first block's λ_max is above the last's.",
        "Table 3",
        within("first_block", "last_block", "ViT", "Mixer"),
    ),
    Claim(
        "The embedding is sharper than attention",
        "The embedding is sharper than all attention, or all token mixing.",
        "Table 3",
        within("embedding", "mixing", "ViT", "Mixer"),
    ),
    Claim(
        "SAM makes ViT and Mixer weights grow",
        "The weights of a ViT and a Mixer grow under SAM.",
        "Table 3",
        with_sam("weight_norm", more=True, families=("ViT", "Mixer")),
    ),
    Claim(
        "A ViT has fewer active neurons",
        "Fewer of a ViT's MLP neurons are active than of a ResNet's.",
        "Figure 2",
        between("active", "ViT", "ResNet"),
    ),
    Claim(
        "SAM thins out a Mixer's first activations",
        "SAM thins out the activations in a Mixer's first MLP (channel mixing).",
        "Figure 2",
        with_sam("first_active", more=False, families=("Mixer",)),
    ),
    Claim(
        "SAM makes a ViT more linear",
        "A ViT behaves more linearly between inputs under SAM: the missing rate falls.",
        "Table 5",
        with_sam("missing_rate", more=False, families=("ViT",)),
    ),
    Claim(
        "Augmentation raises a ViT's accuracy",
        "Strong augmentation, mixup and RandAugment, raises the held-out accuracy of a ViT.",
        "Table 4",
        with_augmentation("accuracy", more=True, families=("ViT",)),
    ),
    Claim(
        "Augmentation raises a ViT's λ_max",
        "With strong augmentation a ViT converges to a sharper minimum, unlike with SAM: λ_max "
        "rises.",
        "Table 5",
        with_augmentation("sharpness", more=True, families=("ViT",)),
    ),
    Claim(
        "Augmentation lowers a ViT's L^N",
        "Yet its surroundings are flatter on average: with strong augmentation the loss of a ViT "
        "under weight noise falls.",
        "Table 5",
        with_augmentation("noisy_loss", "noisiest_loss", more=False, families=("ViT",)),
    ),
    Claim(
        "Augmentation lowers a ViT's missing rate",
        "With strong augmentation a ViT behaves more linearly between inputs: the missing rate "
        "falls.",
        "Table 5",
        with_augmentation("missing_rate", more=False, families=("ViT",)),
    ),
)


def judge(networks: Sequence[Network]) -> list[Judgement]:
    """What these networks say of every claim, corrected for all comparisons together."""
    return corrected([Judgement(claim, claim.compare(networks)) for claim in CLAIMS])


def flatter_and_better(networks: Sequence[Network], judgements: Sequence[Judgement]) -> list[str]:
    """For each pair, in words, whether the flatter network is also the more accurate one.

    Args:
        networks: of a page.
        judgements: what :func:`judge` says of them.
    """
    sentences = []
    for plain, sam in sam_pairs(basic(networks)):
        verdicts = [
            comparison.verdict
            for judgement in judgements
            if judgement.claim in (FLATTER, BETTER)
            for comparison in judgement.comparisons
            if (comparison.first.label, comparison.second.label) == (plain.label, sam.label)
        ]
        if len(verdicts) < 2 or "can't decide" in verdicts:
            words = "the numbers can't decide whether the flatter one is the better one"
        elif verdicts[0] == verdicts[1]:
            words = "the flatter one is the more accurate one"
        else:
            words = "the flatter one is the less accurate one"
        sentences.append(f"{plain.label} and {sam.label}: {words}.")
    return sentences
