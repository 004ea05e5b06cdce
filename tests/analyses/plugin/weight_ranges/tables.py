"""The widest tensor of every checkpoint."""


def tabulate(results):
    """A row for each checkpoint."""
    return {
        "": [
            {"checkpoint": result.label, "largest weight": f"{result.ends.max():.3g}"}
            for result in results
        ]
    }
