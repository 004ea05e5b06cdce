"""Locks: at most one process, or job of several ranks, writes what belongs together in a folder.

A lock is a hidden file, ``.lock`` or ``.NAME.lock``, that says who holds it and since when. The
system releases it (flock) when its holder ends, however it ends, so that a kill leaves nothing
that has to be cleaned up.

The file is removed when its holder is done, so that the folder holds what was asked for and an
empty one can be removed. Another process may have opened the file by then, and would lock one that
nobody else sees: so whoever gets a lock makes sure that its file is still the one at the path.
"""

import errno
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from weakref import finalize

from landscape.errors import InputError, InUseError
from landscape.results.files import make_directory
from landscape.results.provenance import now
from landscape.runtime.distributed import ALONE, Ranks
from landscape.runtime.processes import is_running

LOGGER = logging.getLogger(__name__)

# What file systems that have no locks answer.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, and since when, in UTC."""

    host: str
    pid: int
    since: str


@dataclass
class _Held:
    """A lock of this process: its open file, if it could be had, and how many blocks are in it."""

    descriptor: int | None
    count: int = 0


# The locks of this process, which may ask for one that it has: by the path of the file.
_HELD: dict[Path, _Held] = {}


@contextmanager
def locked(
    folder: Path, name: str = "", ranks: Ranks = ALONE, *, waits: bool = False
) -> Iterator[int | None]:
    """Keep other processes out of a folder, or of what ``name`` stands for in it.

    A process that holds the lock already enters again. Where there are no locks (on Windows, in
    some network file systems) it says so in a warning and goes on without.

    Args:
        folder: It is created if it is not there.
        name: What is locked in the folder, such as an analysis; by default the whole folder.
        ranks: The processes that hold the lock together: rank 0 takes it, the others wait for its
            word.
        waits: Wait for another holder instead of raising InUseError.

    Yields:
        The descriptor of the lock, which a child process may inherit: then it holds the lock, too.
        None in ranks other than 0 and without a lock.

    Raises:
        InUseError: Another process holds the lock.
        InputError: The folder can't be written to.

    Example:
        >>> with locked(Path("checkpoints/vit")):
        ...     RunDirectory(Path("checkpoints/vit")).clear()
    """
    path = folder / (f".{name}.lock" if name else ".lock")
    place = path.resolve()  # the working directory may change meanwhile
    held: _Held | None = None
    error: InUseError | InputError | None = None
    if ranks.is_first:
        try:
            held = _HELD.get(place) or _Held(_take(place, _Subject(folder, name), waits))
        except (InUseError, InputError) as refusal:
            error = refusal
    _share(error, ranks, f"lock/{path}")
    if held is None:
        yield None
        return
    _HELD[place] = held
    held.count += 1
    try:
        yield held.descriptor
    finally:
        held.count -= 1
        if held.count == 0:
            del _HELD[place]
            if held.descriptor is not None:
                _release(place, held.descriptor)


def hold_lock(owner: object, folder: Path) -> None:
    """Keep other processes out of a folder as long as ``owner`` lives, as :func:`locked` does."""
    lock = ExitStack()
    lock.enter_context(locked(folder))
    finalize(owner, lock.close)


def _share(error: InUseError | InputError | None, ranks: Ranks, key: str) -> None:
    """Raise rank 0's error in all ranks."""
    told = ranks.broadcast(key, error and [isinstance(error, InUseError), str(error)])
    if told is None:
        return
    ranks.gather(f"{key}/read", None)  # rank 0, which may keep the store, leaves last
    if error is not None:
        raise error
    is_in_use, text = told
    raise (InUseError if is_in_use else InputError)(text)


@dataclass(frozen=True)
class _Subject:
    """What is locked, for messages."""

    folder: Path
    name: str

    def __str__(self) -> str:
        return f"{self.name} in {self.folder}" if self.name else str(self.folder)

    def used_by(self, holder: Holder | None) -> str:
        """Who holds the lock, as a sentence."""
        if holder is None:
            return f"{self} is being written by another process"
        process = f"process {holder.pid} on {holder.host}"
        if holder.host == socket.gethostname() and not is_running(holder.pid):
            process = f"a command that {process}, which has ended, has started"
        return f"{self} is being written by {process} since {holder.since}"


def _take(path: Path, subject: _Subject, waits: bool) -> int | None:
    """Lock the file, and write into it who has it; returns its descriptor, None without locks."""
    while True:
        make_directory(path.parent)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # another process has removed the folder, which was empty
            continue
        except OSError as error:
            raise InputError(
                f"cannot lock {subject}: {path} can't be opened ({error.strerror}); remove it if "
                "no other process is at work there, or choose another folder"
            ) from error
        try:
            _flock(descriptor, subject, waits)
        except (ImportError, OSError) as error:
            os.close(descriptor)
            if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                raise
            with suppress(OSError):
                path.unlink(missing_ok=True)
            reason = error.strerror if isinstance(error, OSError) else "this system has no flock"
            LOGGER.warning(
                f"{subject} can't be locked ({reason}): make sure that no other process writes it"
            )
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(path, descriptor):
            _sign(descriptor)
            return descriptor
        os.close(descriptor)


def _flock(descriptor: int, subject: _Subject, waits: bool) -> None:
    """Lock an open file.

    Raises:
        InUseError: Another process has locked it.
        ImportError: This system has no such locks.
        OSError: The file system has none.
    """
    import fcntl  # not on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        used = subject.used_by(_signature(descriptor))
        if not waits:
            raise InUseError(
                f"{used}; wait until it ends, or stop it, or choose another folder"
            ) from error
        LOGGER.info(f"{used}: waiting for its end")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _release(path: Path, descriptor: int) -> None:
    """Close a locked file, and remove it unless another process has got the lock.

    That may be the next one, or a child process that has inherited this one's.
    """
    import fcntl

    os.close(descriptor)
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # removed by the next one, which is done already, or with its folder
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, descriptor):
            path.unlink()
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    """Write into a locked file who has it."""
    holder = Holder(socket.gethostname(), os.getpid(), now())
    with suppress(OSError):  # as on a full disk; the lock holds all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)


def _signature(descriptor: int) -> Holder | None:
    """Who has locked an open file; None if it does not say."""
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (OSError, ValueError, TypeError):
        return None
