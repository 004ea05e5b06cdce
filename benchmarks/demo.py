"""The demo: six networks that come with the repository on one page, and a small pair trained here.

    python -m benchmarks.demo

The first page, figures/demo/photographs/report.html, is drawn from what was measured on the
networks of checkpoints/gallery. For the second, figures/demo/report.html, a small ViT is trained
on digits without and with SAM, measured and drawn. It runs the commands a user would type, and
prints them.
"""

import time
from pathlib import Path

from tqdm import tqdm

from benchmarks.digits import run_jobs
from benchmarks.paper.gallery import RESULTS
from benchmarks.paper.plan import RELEASED

TRAINING = "--model vit-tiny --opt adamw --lr 0.003 --epochs 15 --data digits --device cpu"
ANALYSES = "surface,line,hessian,curves,norms,sparsity,linearity"
MEASURING = (
    f"--only {ANALYSES} --samples 256 --x=-1:1:15 --y=-1:1:15 --top 3 --probes 2 "
    "--density-steps 30 --device cpu"
)
# The radius of SAM by label. The training with SAM takes longest, so it begins first.
PAIR = {"vit-sam": 0.1, "vit": 0.0}
RUNS, PICTURES = Path("checkpoints/demo"), Path("figures/demo")


def main() -> None:
    """Draw the first page while the pair is trained and measured, then draw the second."""
    started = time.perf_counter()
    jobs = [*(_train_and_measure(*pair) for pair in PAIR.items()), [_draw_gallery()]]
    pair = " ".join(str(RUNS / label) for label in reversed(PAIR))
    last = f"landscape-plot report {pair} {MEASURING} --output-dir {PICTURES} --quiet"
    total = sum(len(commands) for commands in jobs) + 1
    with tqdm(total=total, desc="the demo", unit="command") as bar:
        run_jobs(jobs, bar)
        run_jobs([[last]], bar)
    seconds = time.perf_counter() - started
    pages = (PICTURES / "photographs" / "report.html", PICTURES / "report.html")
    print(f"\nready after {seconds:.0f} s; open these in a browser:")
    for page, content in zip(
        pages, ("six networks of photographs", "a pair of digits"), strict=True
    ):
        print(f"  {page.resolve().as_uri()}  ({content})")


def _draw_gallery() -> str:
    """The command that draws what was measured on the networks of the gallery."""
    results = " ".join(f"{RESULTS / label}/*.h5" for label in RELEASED)
    return f"landscape-plot report {results} --output-dir {PICTURES}/photographs --quiet"


def _train_and_measure(label: str, rho: float) -> list[str]:
    run = RUNS / label
    return [
        f"landscape-train {TRAINING} --rho {rho:g} --output-dir {run} --force --quiet",
        f"landscape-plot report {run} {MEASURING} --output-dir {PICTURES} --format none --force "
        "--quiet",
    ]


if __name__ == "__main__":
    main()
