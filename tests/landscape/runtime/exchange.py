"""What each process does in a test of several; it prints what it saw as one line of JSON."""

import json
import sys
import time
from collections.abc import Sequence

from landscape.runtime.distributed import join_ranks


def main(words: Sequence[str] = ()) -> int:
    """Share values, claim what is in a queue, and gather what each of them claimed."""
    ranks = join_ranks()
    shared = ranks.broadcast("shared", {"x": [1, None, "ä"]} if ranks.is_first else "mine")
    nothing = ranks.broadcast("nothing", None)
    ranks.gather("ready", None)
    ranks.broadcast("go")
    claimed: list[int] = []
    while True:
        start = ranks.claim("queue", 3, len(claimed))
        claimed += range(start, min(start + 3, 40))
        if start >= 40:
            break
        time.sleep(0.01)
    gathered = ranks.gather("done", claimed)
    again = ranks.gather("again", ranks.rank)
    ranks.gather("end", None)  # rank 0, which may keep the store, leaves last
    seen = [ranks.rank, ranks.world_size, shared, nothing, claimed, gathered, again]
    sys.stdout.write(json.dumps(seen) + "\n")
    return 0
