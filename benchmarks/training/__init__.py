"""What a training step costs: ours, timm's, bare PyTorch's and pytorch_optimizer's, in one run.

    python -m benchmarks.training [--network resnet|vit|mixer] [--batch-size 128] [--width 0]
                                  [--precision fp32|bf16] [--compile] [--device auto]
                                  [--cpu-time] [--json FILE]

All loops train the same network on the same random pictures, which are on the device, for the same
number of steps a round, in turn. Seconds are medians over rounds, and a ratio is the median over
rounds of the ratios within a round. Every loop draws an order, gathers batches, normalises them,
and steps AdamW. The bare loop is what one writes by hand; timm's does what its train.py does for
one process without augmentation (``benchmarks.training.loops.timm_script`` says what was left out).
Ours is the whole of landscape.training with gradient norm, schedule and checks. SAM is compared
with our plain step, and with pytorch_optimizer's SAM around the same AdamW in a bare loop.

--cpu-time counts seconds of the processor, for a machine that others use, too: on one thread,
OMP_NUM_THREADS=1. --compile compiles all loops but two of ours, and prints how long that took.
"""
