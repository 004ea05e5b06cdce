"""The commands in processes of their own that start in no time.

Importing torch takes seconds. A server does it once for all tests of a session, and forks into as
many commands as a test starts: each has its own output and exit status, and can be killed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.commands import TIMEOUT, free_port

# The module of each command.
MODULES = {
    "landscape-plot": "analyses.cli",
    "landscape-train": "landscape.cli",
    # What ranks do in tests of what they share.
    "exchange": "tests.landscape.runtime.exchange",
    "process groups": "tests.landscape.training.process_groups",
    "sam": "tests.landscape.training.sam.ranks",
    "sharded": "tests.landscape.curvature.sharded",
}
# What commands import late.
LATE = ("analyses.command.plot", "landscape.training.command.train", "sklearn.datasets")

SERVER = f"""\
import importlib, json, os, resource, signal, sys, traceback
import torch._dynamo  # torch does so itself, later
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

for name in sys.argv[1:]:
    importlib.import_module(name)

def work(main, words):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the agent's handler
    sys.exit(main(words))

def launch(main, words):
    # What torchrun does, but for processes that are forked instead of started.
    config = LaunchConfig(
        *(1, 1, 2), rdzv_endpoint="127.0.0.1:0", rdzv_backend="c10d", run_id="tests",
        max_restarts=2, start_method="fork",
    )
    elastic_launch(config, work)(main, words)
    return 0

print("ready", flush=True)

for line in sys.stdin:
    request = json.loads(line)
    if "wait" in request:
        status = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        print(status, flush=True)
        continue
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        continue
    signal.alarm({TIMEOUT})
    # Ignored where the tests run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(request["environment"])
    sys.path[:0] = request["places"]
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if request["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
    status = 1
    try:
        main = sys.modules[request["module"]].main
        words = request["words"]
        status = launch(main, words) if request["launches"] else main(words)
    except SystemExit as exit_:
        status = exit_.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
"""


class Running:
    """A command that was started."""

    def __init__(self, server: "Server", pid: int, out: Path, err: Path) -> None:
        self.pid = pid
        self.status: int | None = None
        self._server = server
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        """What it has written to standard output so far."""
        return self._out.read_text() if self._out.exists() else ""

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return self._err.read_text() if self._err.exists() else ""

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"

    def wait_for(self, condition: Any) -> bool:
        """Wait until ``condition()`` or its end; returns whether it is still running."""
        deadline = time.monotonic() + TIMEOUT
        while self.is_alive and not condition():
            assert time.monotonic() < deadline, self.err
            time.sleep(0.004)
        return self.is_alive

    def end(self, number: int | None = None) -> int:
        """Send a signal, if any, and wait for its end; the status is -9 after a SIGKILL."""
        if self.status is None:
            if number is not None:
                os.kill(self.pid, number)
            self.status = int(self._server.ask(wait=self.pid))
        return self.status

    def kill(self) -> int:
        """kill -9."""
        return self.end(signal.SIGKILL)


class Server:
    """The process that has imported every command."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *MODULES.values(), *LATE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def ask(self, **request: Any) -> str:
        """One line of JSON there, one line back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(TIMEOUT)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Warm:
    """Starts one of the commands.

    Args:
        server: It forks into them.
        folder: For what they print.
        program: The name of the command.
        places: Folders of further modules, before those on Python's path.
    """

    def __init__(
        self, server: Server, folder: Path, program: str, places: Sequence[str] = ()
    ) -> None:
        self._server = server
        self._folder = folder
        self._module = MODULES[program]
        self._places = list(places)
        self._started: list[Running] = []

    def start(
        self,
        *words: Any,
        environment: Mapping[str, str] | None = None,
        launches: bool = False,
        largest_file: int = 0,
    ) -> Running:
        """Start the command with these words.

        With ``launches`` two processes run it, as under ``torchrun --max-restarts=2``.
        ``largest_file`` is a limit in bytes on what it may write.
        """
        name = str(len(self._started))
        out, err = self._folder / f"{name}.out", self._folder / f"{name}.err"
        pid = self._server.ask(
            module=self._module,
            places=self._places,
            words=[str(word) for word in words],
            environment=dict(environment or {}),
            launches=launches,
            largest_file=largest_file,
            out=str(out),
            err=str(err),
        )
        running = Running(self._server, int(pid), out, err)
        self._started.append(running)
        return running

    def start_ranks(self, *words: Any, count: int) -> list[Running]:
        """Start ``count`` processes that find each other, as torchrun does."""
        port = str(free_port())
        shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        return [
            self.start(*words, environment={**shared, "RANK": str(rank)}) for rank in range(count)
        ]

    def run(self, *words: Any) -> str:
        """Run it to its end, which has to be a good one; returns what it said."""
        running = self.start(*words)
        assert running.end() == 0, running.err
        return running.err

    def close(self) -> None:
        """End everything."""
        for running in self._started:
            running.kill()
