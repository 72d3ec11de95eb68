"""Run all engines as processes of one machine, for `make cluster` and the tests.

    python -m deploy.local up .cluster       # start all engines and print their addresses
    python -m deploy.local down .cluster     # stop these engines

The folder contains data, logs, pid files and ``env``. Source ``env`` to use the cluster with
`shipdet jobs ...`. Engines use their default ports if these are free.
"""

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.processes import NotStarted, Processes, free_port

PROJECT = Path(__file__).resolve().parent.parent
PORTS = {
    "postgres": 5432,
    "kafka": 9092,
    "s3": 9000,
    "spark": 7077,
    "master": 8080,
    "history": 18080,
    "app": 7860,
}
WORKERS = 2
PLACES = 2
# Reduces memory and compilation of the Java programs, which share one machine.
FRUGAL = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


@dataclass
class Cluster:
    """The engines of a folder.

    Attributes:
        folder: Folder of data, logs, pid files and settings.
        extra: Additional environment variables of stream, workers and app.
        usual_ports: Whether to prefer the default ports.
        workers: Number of Spark workers.
        places: Cores per worker.

    Example:
        >>> cluster = Cluster(Path(".cluster"))
        >>> cluster.start()
        >>> cluster.stop()
    """

    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    usual_ports: bool = True
    workers: int = WORKERS
    places: int = PLACES

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.processes = Processes(self.folder)
        if (self.folder / "env").exists():
            self.env = _read_env(self.folder / "env")
        else:
            self.env = {}

    def start(self, *, stream: bool = True, app: bool = True) -> None:
        """Start the engines, create tables, bucket and topics, then start stream and app.

        Args:
            stream: Whether to start the stream.
            app: Whether to start the app.

        Raises:
            NotStarted: An engine does not start.
        """
        self.start_storage()
        self.env |= self.extra
        _write_env(self.folder / "env", self.env)
        self.start_kafka()
        self.start_spark()
        for name, port in self.ports.items():
            if name != "app":
                self.processes.wait_for_port(name, port)
        self.run("-m", "shipdet", "jobs", "prepare")
        if stream:
            self.start_stream()
        if app:
            self.start_python("app", "-m", "shipdet", "serve")
            self.processes.wait_for_port("app", self.ports["app"])

    def start_storage(self) -> None:
        """Start the database and the object store unless they are running.

        Raises:
            NotStarted: One of them does not start.
        """
        if not self.env:
            self.settle()
        if "postgres" in self.processes.running():
            return
        self.start_postgres()
        self.start_s3()
        for name in ("postgres", "s3"):
            self.processes.wait_for_port(name, self.ports[name])

    def stop(self) -> None:
        """Stop all processes in reverse order of start; keep data and logs."""
        self.processes.stop_all(last=("postgres",))

    @property
    def ports(self) -> dict[str, int]:
        """Port of each engine."""
        return {name: int(self.env[f"PORT_{name.upper()}"]) for name in PORTS}

    def environ(self) -> dict[str, str]:
        """Return the environment for programs that use this cluster."""
        return {**os.environ, **self.env, "PYTHONPATH": str(PROJECT)}

    def run(self, *arguments: str) -> str:
        """Run Python with the cluster's settings and return its standard output.

        Raises:
            NotStarted: The program fails.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environ(), cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotStarted(f"{' '.join(arguments)} failed: {done.stderr[-2000:]}")
        return done.stdout

    def start_python(self, name: str, *arguments: str) -> None:
        """Start a Python program with the cluster's settings."""
        self.processes.start(name, [sys.executable, *arguments], self.environ(), PROJECT)

    def start_stream(self) -> None:
        """Start the stream, also after it was killed."""
        self.start_python("stream", "-m", "shipdet", "jobs", "stream")

    def start_postgres(self) -> None:
        """Create the database cluster if it does not exist, and start the server.

        Raises:
            NotStarted: PostgreSQL is not installed, or initdb fails.
        """
        data, tools = self.folder / "postgres", _postgres_tools()
        user = _postgres_user(self.folder)
        if not (data / "PG_VERSION").exists():
            data.mkdir(exist_ok=True)
            secret = data.with_name("password")
            secret.touch(mode=0o600)
            secret.write_text(self.env["PGPASSWORD"])
            if user:
                shutil.chown(data, "postgres")
                shutil.chown(secret, "postgres")
            call = [*user, str(tools / "initdb"), "-D", str(data), "-U", "shipdet", "-E", "UTF8"]
            call += ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-instructions"]
            done = subprocess.run(call, capture_output=True, text=True, check=False, cwd="/")
            secret.unlink()
            if done.returncode:
                raise NotStarted(f"initdb failed: {done.stderr[-1000:]}")
        port = str(self.ports["postgres"])
        options = ["-p", port, "-h", "127.0.0.1", "-k", str(data)]
        call = [*user, str(tools / "postgres"), "-D", str(data), *options]
        self.processes.start("postgres", call, dict(os.environ), Path("/"))

    def start_kafka(self) -> None:
        """Start the broker."""
        data, port = self.folder / "kafka", str(self.ports["kafka"])
        call = [_tool("noida-db"), "start", "--data-dir", str(data), "--only", "kafka"]
        self.processes.start("kafka", [*call, "--kafka-port", port], dict(os.environ), PROJECT)

    def start_s3(self) -> None:
        """Start the object store."""
        data = self.folder / "s3"
        data.mkdir(exist_ok=True)
        keys = {
            "NANIO_ACCESS_KEY": self.env["SHIPDET_S3_ACCESS_KEY"],
            "NANIO_SECRET_KEY": self.env["SHIPDET_S3_SECRET_KEY"],
        }
        call = [_tool("nanio"), "serve", "--data-dir", str(data), "--host", "127.0.0.1"]
        call += ["--port", str(self.ports["s3"])]
        self.processes.start("s3", call, {**os.environ, **keys}, PROJECT)

    def start_spark(self) -> None:
        """Start master, workers and history server."""
        ports = self.ports
        master = f"spark://127.0.0.1:{ports['spark']}"
        self._spark(
            "master", "master.Master", "--host", "127.0.0.1", "--port", str(ports["spark"]),
            "--webui-port", str(ports["master"]),
        )  # fmt: skip
        self.processes.wait_for_port("master", ports["spark"])
        for number in range(1, self.workers + 1):
            self.start_worker(number, master)
        events = f"-Dspark.history.fs.logDirectory=file://{self.folder / 'events'}"
        port = f"-Dspark.history.ui.port={ports['history']}"
        self._spark(
            "history", "history.HistoryServer",
            SPARK_HISTORY_OPTS=f"{events} {port} -Dspark.history.fs.update.interval=2s",
        )  # fmt: skip

    def start_worker(self, number: int, master: str = "") -> None:
        """Start one Spark worker."""
        name = f"worker-{number}"
        self._spark(
            name, "worker.Worker", "--host", "127.0.0.1", "--cores", str(self.places),
            "--memory", "1g", "--webui-port", "0", "--work-dir", str(self.folder / "spark" / name),
            master or self.env["SHIPDET_SPARK_MASTER"],
        )  # fmt: skip

    def _spark(self, name: str, program: str, *arguments: str, **env: str) -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        call = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{program}", *arguments]
        daemon = {
            "SPARK_HOME": str(home),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": FRUGAL,
        }
        self.processes.start(name, call, {**self.environ(), **daemon, **env}, PROJECT)

    def settle(self) -> None:
        """Choose ports and secrets; write them and the settings of Spark to the folder."""
        for name in ("logs", "pids", "events", "conf", "spark"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        ports = {n: free_port(p if self.usual_ports else 0) for n, p in PORTS.items()}
        password = secrets.token_urlsafe(16)
        folder = self.folder
        self.env = {
            **{f"PORT_{name.upper()}": str(port) for name, port in ports.items()},
            "PGPASSWORD": password,
            "SHIPDET_KAFKA": f"127.0.0.1:{ports['kafka']}",
            "SHIPDET_POSTGRES": f"postgresql://shipdet:{password}@127.0.0.1:{ports['postgres']}"
            "/postgres",
            "SHIPDET_S3": f"http://127.0.0.1:{ports['s3']}",
            "SHIPDET_S3_ACCESS_KEY": secrets.token_hex(8),
            "SHIPDET_S3_SECRET_KEY": secrets.token_urlsafe(24),
            "SHIPDET_SPARK_MASTER": f"spark://127.0.0.1:{ports['spark']}",
            "SHIPDET_SPARK_MASTER_UI": f"http://127.0.0.1:{ports['master']}",
            "SHIPDET_SPARK_HISTORY": f"http://127.0.0.1:{ports['history']}",
            "SHIPDET_SPARK_EVENTS_DIR": f"file://{folder / 'events'}",
            "SHIPDET_SPARK_CHECKPOINT_DIR": str(folder / "checkpoint"),
            "SHIPDET_HOST": "127.0.0.1",
            "SHIPDET_PORT": str(ports["app"]),
            "SHIPDET_RUNS_DIR": str(folder / "runs"),
            "SPARK_CONF_DIR": str(folder / "conf"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }
        (folder / "conf" / "spark-defaults.conf").write_text(
            "spark.driver.host 127.0.0.1\n"
            "spark.driver.memory 512m\n"
            "spark.executor.memory 512m\n"
            "spark.ui.port 0\n"
            f"spark.driver.extraJavaOptions {FRUGAL}\n"
            f"spark.executor.extraJavaOptions {FRUGAL}\n"
        )
        _write_env(folder / "env", self.env)


def _read_env(file: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in file.read_text().splitlines())
    return {name.removeprefix("export "): value.strip("'") for name, _, value in lines}


def _write_env(file: Path, env: Mapping[str, str]) -> None:
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}='{value}'\n" for name, value in env.items()))


def _tool(name: str) -> str:
    """Return the path of a program installed beside this Python, or on the path."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise NotStarted(f"{name} is not installed: `pip install -e .[cluster,dev]`")
    return found


def _postgres_tools() -> Path:
    """Return the folder of PostgreSQL's server programs, which Debian does not add to the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    program = found[0] if found else shutil.which("postgres")
    if program is None:
        raise NotStarted("PostgreSQL is not installed: `apt-get install postgresql`")
    return Path(program).parent


def _postgres_user(folder: Path) -> list[str]:
    """Return the command prefix to run PostgreSQL as user postgres, which root needs."""
    if os.geteuid() != 0:
        return []
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    if subprocess.run([*become, "test", "-x", str(folder)], cwd="/", check=False).returncode:
        raise NotStarted(f"the user postgres cannot access {folder}: choose another folder")
    return become


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: start or stop a cluster."""
    parser = argparse.ArgumentParser(prog="deploy.local", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("folder", type=Path)
    parsed = parser.parse_args(arguments)
    cluster = Cluster(parsed.folder)
    if parsed.what == "down":
        cluster.stop()
        return 0
    running = cluster.processes.running()
    if running:
        print(f"Already running: {', '.join(running)}. Stop them first.", file=sys.stderr)
        return 1
    started = time.monotonic()
    try:
        cluster.start()
    except NotStarted as error:
        print(error, file=sys.stderr)
        cluster.stop()
        return 1
    print(f"Started in {time.monotonic() - started:.0f} s; `make cluster-down` stops it.")
    print(f"Settings: source {cluster.folder / 'env'}")
    for name, port in cluster.ports.items():
        print(f"{name:10s} 127.0.0.1:{port}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
