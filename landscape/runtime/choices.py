"""The words that users choose among, in flags and in Python.

They are apart from what they name, so that a command can list them without importing torch.
"""

# The type of the weights; tf32 and bf16 are arithmetic on float32 weights, auto chooses it.
PRECISIONS = ("fp32", "fp64", "tf32", "bf16", "auto")

# The losses that landscape-train minimises, and those that landscape-plot evaluates.
TRAINING_LOSSES = ("softmax", "sigmoid")
LOSSES = ("cross_entropy", "squared_error", "softmax_squared_error")
METRICS = ("top5_error", "confidence", "brier")

# The scale of a random direction relative to the weights.
NORMALIZATIONS = ("filter", "layer", "weight", "dfilter", "dlayer", "none")
# BatchNorm's statistics at a point of a slice.
BATCHNORM_STATISTICS = ("fixed", "reestimate")
# The standard deviation of a weight's noise.
NOISES = ("fixed", "filter", "adaptive")

CURVATURE_MATRICES = ("hessian", "ggn", "fisher")
# Which eigenvalues: those of largest magnitude, or of both ends of the spectrum.
SPECTRUM_ENDS = ("magnitude", "ends")

# The families of ImageNet-C, in its order.
CORRUPTIONS = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)

# The smallest number of samples for which centred kernel alignment is defined.
FEWEST_CKA_SAMPLES = 4
