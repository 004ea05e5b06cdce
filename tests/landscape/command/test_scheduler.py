"""The example for Slurm: stopped in time, put back into the queue, continued, finished."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

import pytest

from landscape.checkpoints.run import RunDirectory
from tests.commands import TIMEOUT
from tests.profile import long_test

ROOT = Path(__file__).parents[3]

SRUN = """\
#!/bin/bash
# Two tasks, as srun would start them; with STOP in the environment they are told to stop.
export SLURM_NTASKS=2
SLURM_PROCID=0 SLURM_LOCALID=0 "$@" & first=$!
SLURM_PROCID=1 SLURM_LOCALID=1 "$@" & second=$!
if [ -n "${STOP:-}" ]; then
    until [ -f "$RUN/metrics.csv" ]; do sleep 0.01; done
    kill -USR1 $first $second
fi
wait $first && wait $second
"""
SCONTROL = """\
#!/bin/bash
if [ "$1" = show ]; then echo localhost; else echo "$@" >> "$RUN.requeued"; fi
"""
# Has a warm process run the command, in the same environment, and passes the signal on to it.
LANDSCAPE_TRAIN = f"""\
#!{sys.executable} -ES
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.environ["WARM"])
    request = json.dumps([sys.argv[1:], dict(os.environ)])
    connection.sendall(request.encode() + b"\\n")
    answers = connection.makefile()
    pid = int(answers.readline())
    signal.signal(signal.SIGUSR1, lambda number, _: os.kill(pid, number))
    status, out, err = json.loads(answers.readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""


@pytest.fixture
def address(warm, tmp_path):
    """A socket: who sends words and an environment is told the number and the end of a process."""
    lock = threading.Lock()

    class Handler(StreamRequestHandler):
        def handle(self):
            words, environment = json.loads(self.rfile.readline())
            with lock:
                running = warm.start(*words, environment=environment)
            self.wfile.write(f"{running.pid}\n".encode())
            running.wait_for(lambda: False)
            with lock:
                end = [running.end(), running.out, running.err]
            self.wfile.write(json.dumps(end).encode() + b"\n")

    with ThreadingUnixStreamServer(str(tmp_path / "warm"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join()


def job_of_a_free_port():
    """The number of a job for which the script's port, 20000 + its number, is free."""
    for number in random.sample(range(12000), 12000):
        with socket.socket() as trial:
            if trial.connect_ex(("localhost", 20000 + number)) != 0:
                return number
    raise AssertionError("no port is free")


@long_test
def test_the_slurm_example(address, tmp_path):
    scripts = {"srun": SRUN, "scontrol": SCONTROL, "landscape-train": LANDSCAPE_TRAIN}
    for name, script in scripts.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    run = RunDirectory(tmp_path / "run")
    words = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "mlp_dim=16")
    words = (*words, "--data", "digits", "-b", "256", "--epochs", "40")

    def submitted(**extra):
        done = subprocess.run(
            ["bash", ROOT / "docs" / "slurm" / "train.sbatch", *words],
            env={
                **os.environ,
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "RUN": str(run.path),
                "WARM": address,
                "SLURM_JOB_ID": str(job_of_a_free_port()),
                "SLURM_JOB_NODELIST": "localhost",
                **extra,
            },
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    done = submitted(STOP="1")
    assert "SIGUSR1: saved; continue with" in done.stdout
    assert (tmp_path / "run.requeued").read_text().startswith("requeue")
    assert 1 <= len(run.read_metrics()) < 40
    submitted()
    assert len(run.read_metrics()) == 40
    assert len((tmp_path / "run.requeued").read_text().splitlines()) == 1
    assert json.loads((run.path / "config.json").read_text())["processes"] == 2
