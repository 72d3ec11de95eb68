"""Background processes that outlive their parent, each with a log and a pid file."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

STOP_S = 15.0


class NotStarted(Exception):
    """An engine cannot be started."""


#: Ports already returned: a port stays free until a program listens on it.
_returned: set[int] = set()
#: Ports below those that Linux gives to programs that do not ask for one. Otherwise another engine
#: could take a port between its choice and the start of its program.
CHOSEN_PORTS = range(20_000, 32_000)


def free_port(preferred: int = 0) -> int:
    """Return the preferred port if it is free, otherwise another free port.

    Raises:
        NotStarted: No port is free.
    """
    candidates = random.sample(CHOSEN_PORTS, 20)
    if preferred:
        candidates.insert(0, preferred)
    for port in candidates:
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port == preferred or port not in _returned:
            _returned.add(port)
            return port
    raise NotStarted("this machine has no free port")


class Processes:
    """The processes of a folder, with ``logs/NAME.log`` and ``pids/NAME``.

    A pid file contains the id and the start time of the process, so that a later process with the
    same id is never stopped.

    Args:
        folder: The folder, with the subfolders logs and pids.
    """

    def __init__(self, folder: Path) -> None:
        self.logs, self.pids = folder / "logs", folder / "pids"

    def start(self, name: str, call: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start a process in a new session.

        Args:
            name: Name of the process.
            call: Program and arguments.
            env: Its environment.
            cwd: Its working directory.

        Raises:
            NotStarted: A process of this name is running.
        """
        if self.pid(name) is not None:
            raise NotStarted(f"{name} is already running")
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                call, env=dict(env), cwd=cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        (self.pids / name).write_text(f"{process.pid} {_birth(process.pid)}")

    def pid(self, name: str) -> int | None:
        """Return the id of a process, or None if it is not running."""
        file = self.pids / name
        if not file.exists():
            return None
        pid, _, birth = file.read_text().partition(" ")
        return int(pid) if birth and _birth(int(pid)) == birth else None

    def running(self) -> list[str]:
        """Return the names of the running processes."""
        names = sorted(file.name for file in self.pids.glob("*"))
        return [name for name in names if self.pid(name) is not None]

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to all processes in the session of a process."""
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def stop(self, name: str) -> None:
        """Ask a process to stop, and kill its session after :data:`STOP_S` seconds."""
        # PostgreSQL disconnects its clients on SIGINT but waits for them on SIGTERM.
        polite = signal.SIGINT if name == "postgres" else signal.SIGTERM
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, polite)  # not the whole session: it stops its children itself
            self.gone(name, STOP_S)
            with suppress(ProcessLookupError):  # the rest of its session
                os.killpg(pid, signal.SIGKILL)
            self.gone(name, STOP_S)
        (self.pids / name).unlink(missing_ok=True)

    def gone(self, name: str, patience_s: float) -> bool:
        """Return whether a process ends within ``patience_s`` seconds."""
        end = time.monotonic() + patience_s
        while self.pid(name) is not None:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def stop_all(self, last: Sequence[str] = ()) -> None:
        """Stop all processes, the most recently started first, those named in ``last`` last."""
        files = sorted(self.pids.glob("*"), key=lambda file: -file.stat().st_mtime)
        for file in sorted(files, key=lambda file: file.name in last):
            self.stop(file.name)

    def wait_for_port(self, name: str, port: int, patience_s: float = 180.0) -> None:
        """Wait until a program listens on a port of this machine.

        Args:
            name: Process that should listen.
            port: The port.
            patience_s: Longest wait in seconds.

        Raises:
            NotStarted: The process ends, or the wait is over; the message contains the end of its
                log.
        """
        end = time.monotonic() + patience_s
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
                return
            ended = (self.pids / name).exists() and self.pid(name) is None
            if ended or time.monotonic() > end:
                log = self.logs / f"{name}.log"
                end_of_log = log.read_text(errors="replace")[-1500:] if log.exists() else ""
                raise NotStarted(f"{name} does not listen on port {port}:\n{end_of_log}")
            time.sleep(0.1)


def _birth(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot; "" if it has ended."""
    with suppress(OSError, ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # reap our own child, which stays a zombie otherwise
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
