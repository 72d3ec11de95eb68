"""Processes that outlive the program that started them, each with a log and a pid file."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

STOP_S = 15.0


class NotStarted(Exception):
    """An engine cannot be started; the message says why."""


#: Ports handed out: until somebody listens there, the system may offer one of them again.
_given: set[int] = set()


def free_port(preferred: int = 0) -> int:
    """The preferred port of this machine when nobody listens there, else any free one."""
    for port in (preferred, *([0] * 20)):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(server.getsockname()[1])
        if found == preferred or found not in _given:
            _given.add(found)
            return found
    raise NotStarted("this machine has no free port")


class Processes:
    """The processes of a folder: ``logs/NAME.log`` and ``pids/NAME``.

    A pid file holds the process's id and the time of its start, so that another program that has
    got the same id since is never stopped.
    """

    def __init__(self, folder: Path) -> None:
        self.logs, self.pids = folder / "logs", folder / "pids"

    def start(self, name: str, call: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start a process in a session of its own; NotStarted when it is running already."""
        if self.pid(name) is not None:
            raise NotStarted(f"{name} is running already")
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                call, env=dict(env), cwd=cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        (self.pids / name).write_text(f"{process.pid} {_birth(process.pid)}")

    def pid(self, name: str) -> int | None:
        """The id of a process that still runs."""
        file = self.pids / name
        if not file.exists():
            return None
        pid, _, birth = file.read_text().partition(" ")
        return int(pid) if birth and _birth(int(pid)) == birth else None

    def running(self) -> list[str]:
        """Names of the folder's processes that still run."""
        names = sorted(file.name for file in self.pids.glob("*"))
        return [name for name in names if self.pid(name) is not None]

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and all that it started in its session."""
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def stop(self, name: str) -> None:
        """Stop a process: politely, then not."""
        # An interrupt is PostgreSQL's fast way; it would wait for its clients on SIGTERM.
        polite = signal.SIGINT if name == "postgres" else signal.SIGTERM
        pid = self.pid(name)
        if pid is not None:
            os.kill(pid, polite)  # it stops its own children, in its own order
            self.gone(name, STOP_S)
            with suppress(ProcessLookupError):  # what is left of its session
                os.killpg(pid, signal.SIGKILL)
            self.gone(name, STOP_S)
        (self.pids / name).unlink(missing_ok=True)

    def gone(self, name: str, patience_s: float) -> bool:
        """Whether a process ends within ``patience_s``."""
        end = time.monotonic() + patience_s
        while self.pid(name) is not None:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def stop_all(self, last: Sequence[str] = ()) -> None:
        """Stop every process of the folder, the youngest first."""
        files = sorted(self.pids.glob("*"), key=lambda file: -file.stat().st_mtime)
        for file in sorted(files, key=lambda file: file.name in last):
            self.stop(file.name)

    def wait_for_port(self, name: str, port: int, patience_s: float = 180.0) -> None:
        """Wait until something listens on a port of this machine; NotStarted with the log's end."""
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
    """When a process began, in clock ticks since boot; empty when it is gone or a zombie."""
    with suppress(OSError, ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own dead child would stay in the table
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
