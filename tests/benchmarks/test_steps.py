"""Steps of a long computation: each is done once, in order, whatever is killed on the way."""

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.paper.steps import Journal, Step, StepFailedError, run_steps
from landscape.errors import InUseError
from landscape.results.lock import locked


def note(folder, word):
    """A command that adds a word to a file."""
    return f"sh -c 'echo {word} >> {shlex.quote(str(folder / 'words'))}'"


def words(folder):
    file = folder / "words"
    return file.read_text().split() if file.exists() else []


def run(folder, steps, jobs=1):
    with locked(folder) as lock:
        run_steps(steps, Journal(folder / "journal"), jobs=jobs, lock=lock)


def test_steps_run_once(tmp_path):
    steps = [Step(word, note(tmp_path, word), 1.0) for word in ("a", "b", "c")]
    run(tmp_path, steps[:2])
    run(tmp_path, steps)
    assert words(tmp_path) == ["a", "b", "c"]
    seconds = Journal(tmp_path / "journal").seconds
    assert {name for name, _ in seconds} == {"a", "b", "c"}
    assert all(value >= 0 for value in seconds.values())


def test_a_step_with_another_command_is_run_again(tmp_path):
    run(tmp_path, [Step("a", note(tmp_path, "a"), 1.0)])
    run(tmp_path, [Step("a", note(tmp_path, "again"), 1.0)])
    assert words(tmp_path) == ["a", "again"]


def test_a_step_waits_for_those_before_it(tmp_path):
    slow = f"sh -c 'sleep 0.3; echo slow >> {tmp_path}/words'"
    steps = [
        Step("slow", slow, 1.0),
        Step("late", note(tmp_path, "late"), 1.0, after=("slow",)),
        Step("free", note(tmp_path, "free"), 1.0),
    ]
    run(tmp_path, steps, jobs=2)
    assert words(tmp_path) == ["free", "slow", "late"]


def test_what_has_begun_is_continued(tmp_path):
    begun = tmp_path / "begun"
    step = Step("a", note(tmp_path, "new"), 1.0, begun=begun, continuing=note(tmp_path, "on"))
    begun.touch()
    run(tmp_path, [step])
    assert words(tmp_path) == ["on"]
    assert Journal(tmp_path / "journal").has(step)


def test_a_command_that_fails_ends_the_run_and_is_tried_again(tmp_path):
    door = tmp_path / "door"
    steps = [
        Step("first", note(tmp_path, "first"), 1.0),
        Step("second", f"test -e {door}", 1.0),
        Step("third", note(tmp_path, "third"), 1.0),
    ]
    with pytest.raises(StepFailedError, match=r"this command failed: test -e .*door"):
        run(tmp_path, steps)
    assert words(tmp_path) == ["first"]
    door.touch()
    run(tmp_path, steps)
    assert words(tmp_path) == ["first", "third"]


def test_a_line_of_the_journal_that_was_cut_short_does_not_count(tmp_path):
    first, second = (Step(word, note(tmp_path, word), 1.0) for word in ("a", "b"))
    run(tmp_path, [first])
    file = tmp_path / "journal"
    whole = file.read_text()
    entry = json.dumps({"name": "b", "command": second.command, "seconds": 1.0})
    file.write_text(whole + entry[:20])
    run(tmp_path, [first, second])
    assert words(tmp_path) == ["a", "b"]
    run(tmp_path, [first, second])
    assert words(tmp_path) == ["a", "b"]


KILLED = """\
import sys
from pathlib import Path
from benchmarks.paper.steps import Journal, Step, run_steps
from landscape.results.lock import locked
folder = Path(sys.argv[1])
wait = f"touch {folder}/started; while [ ! -e {folder}/end ]; do sleep 0.05; done"
step = Step("wait", f"sh -c '{wait}'", 1.0)
with locked(folder) as lock:
    run_steps([step], Journal(folder / "journal"), jobs=1, lock=lock)
"""


def wait_for(path: Path) -> None:
    subprocess.run(
        ["sh", "-c", f"while [ ! -e {path} ]; do sleep 0.05; done"], timeout=60, check=True
    )


def test_what_a_killed_run_has_left_running_is_not_joined(tmp_path):
    """A command goes on when the run that has started it is killed: it still holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
    wait_for(tmp_path / "started")
    process.send_signal(signal.SIGKILL)
    process.wait()
    started = f"a command that process {process.pid} on .*, which has ended, has started"
    with pytest.raises(InUseError, match=started):
        run(tmp_path, [])
    (tmp_path / "end").touch()
    script = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'a'), fcntl.LOCK_EX)"
    subprocess.run([sys.executable, "-c", script, tmp_path / ".lock"], timeout=60, check=True)
    run(tmp_path, [])
