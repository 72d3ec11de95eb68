"""For every test: no network beyond this machine, and settings in temporary folders."""

import ipaddress
import os
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from shipdet.errors import MissingExtra
from shipdet.settings import Settings, get_settings
from tests.helpers.painted import BrightnessClassifier, use_painted
from tests.helpers.tiny_models import CAN_UPSCALE

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if WORKER:  # processes side by side: one thread each, and ports of their own for gradio
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads leave the cores to others
    os.environ["GRADIO_SERVER_PORT"] = str(7860 + 100 * (1 + int(WORKER.removeprefix("gw"))))

hypothesis_settings.register_profile("shipdet", deadline=None)  # machines may be busy
hypothesis_settings.load_profile("shipdet")


class NetworkBlocked(OSError):
    """A test wanted to leave this machine."""


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in ("", "localhost", "0.0.0.0", "::", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def network_attempts() -> Iterator[list[str]]:
    """Refuses every way out and remembers it: the code under test may swallow the error."""
    attempts: list[str] = []
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def refuse_unless_local(family: int, address: Any) -> None:
        inet = family in (socket.AF_INET, socket.AF_INET6)
        if inet and not _is_local(address[0]):
            attempts.append(f"connect {address}")
            raise NetworkBlocked(f"tests may not connect to {address}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        refuse_unless_local(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        refuse_unless_local(self.family, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_local(host):
            attempts.append(f"look up {host}")
            raise socket.gaierror(socket.EAI_NONAME, f"tests may not look up {host}")
        return getaddrinfo(host, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield attempts
    patch.undo()


@pytest.fixture(autouse=True)
def no_network(network_attempts: list[str]) -> Iterator[None]:
    """Fails the test that tried to leave this machine."""
    network_attempts.clear()
    yield
    tried, network_attempts[:] = list(network_attempts), []
    if tried:
        pytest.fail(f"the test wanted the network: {', '.join(tried)}", pytrace=False)


@contextmanager
def _skipped_without_upscalers() -> Iterator[None]:
    """Skips a test that runs super-resolution where basicsr cannot be installed."""
    try:
        yield
    except MissingExtra as error:
        if CAN_UPSCALE or "basicsr" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    with _skipped_without_upscalers():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with _skipped_without_upscalers():
        return (yield)


@pytest.fixture(autouse=True)
def isolated_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """No settings of the developer's own; runs and cache in a folder, which is given back."""
    own = {f"SHIPDET_{name}".upper() for name in Settings.model_fields}
    for name in [*os.environ]:
        if name.upper() in own or name.upper() == "SENTINEL_HUB_INSTANCE_ID":
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    folder = tmp_path_factory.mktemp("shipdet")
    monkeypatch.setenv("SHIPDET_RUNS_DIR", str(folder / "runs"))
    monkeypatch.setenv("SHIPDET_CACHE_DIR", str(folder / "cache"))
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


@pytest.fixture
def classifier(monkeypatch: pytest.MonkeyPatch) -> BrightnessClassifier:
    """A classifier that needs no weights; the pipeline takes it for the chosen one."""
    return use_painted(monkeypatch)
