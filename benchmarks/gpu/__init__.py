"""What a CUDA device does, tested and timed: `python -m benchmarks.gpu`."""
