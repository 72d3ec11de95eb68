"""Proxies, certificates and the key log of the environment for HTTP requests.

httpx reads the same variables, but fails on values that other programs accept, and sends requests
to this machine through the proxy.
"""

import logging
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from shipdet.errors import BadOption

SCHEMES = ("http", "https", "socks5", "socks5h")

log = logging.getLogger(__name__)


def proxied(
    addresses: list[str], certificates: ssl.SSLContext, limits: httpx.Limits
) -> tuple[dict[str, httpx.AsyncHTTPTransport], str]:
    """Build the ``mounts`` of an httpx client for the hosts that need a proxy.

    Args:
        addresses: One address per host.
        certificates: Trusted certificates.
        limits: Limits of the connections to each host.

    Returns:
        The mounts, and the variable that names the proxy; "" without a proxy.

    Raises:
        BadOption: The address of a host or a proxy is invalid.
    """
    ways, variable = {}, ""
    for address in addresses:
        try:
            server = httpx.URL(address).netloc.decode()  # an IPv6 address is in brackets
        except httpx.InvalidURL:
            raise BadOption(
                "The provider's address cannot be used: check its host and port."
            ) from None
        proxy = proxy_for(address)
        if proxy is not None:
            ways[f"all://{server}"] = httpx.AsyncHTTPTransport(
                proxy=proxy, verify=certificates, limits=limits
            )
            variable = _proxy_of(address)[1]
    return ways, variable


def proxy_for(address: str) -> str | None:
    """Return the proxy for an address, or None for a direct connection.

    Reads the variables of curl and urllib: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and
    ``NO_PROXY``, in uppercase or lowercase; without them, the system's settings on Windows and
    macOS. Connections to this machine never use a proxy.

    Raises:
        BadOption: The variable is invalid. The message omits its value, which may contain a
            password.
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    if is_loopback(host) or _bypassed(host, parts.port, getproxies().get("no", "")):
        return None
    value, variable = _proxy_of(address)
    if not value or proxy_bypass(host):
        return None
    return _checked(value, variable)


def _proxy_of(address: str) -> tuple[str, str]:
    """Return the configured proxy for an address, and the variable that names it."""
    proxies = getproxies()
    for scheme in (urlsplit(address).scheme, "all"):
        value = proxies.get(scheme, "").strip()
        if value:
            names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
            set_there = (name for name in names if os.environ.get(name))
            return value, next(set_there, "the system's settings")
    return "", ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        place = ip_address(host)
    except ValueError:
        return False
    place = getattr(place, "ipv4_mapped", None) or place  # ::ffff:127.0.0.1
    return place.is_loopback or place.is_unspecified


def _bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether NO_PROXY matches the host: by name, domain, network or "*"."""
    return any(_matches(entry, host, port) for entry in no_proxy.lower().replace(",", " ").split())


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    with_port = re.fullmatch(r"(\[.*\]|[^:]*):(\d{1,5})", entry)
    name, only_port = with_port.groups() if with_port else (entry, None)
    if only_port is not None and int(only_port) != port:
        return False
    try:
        return ip_address(host) in ip_network(name.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        pass  # the host or the entry is a name
    name = name.removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _checked(value: str, variable: str) -> str:
    if "://" not in value:
        value = f"http://{value}"
    if value.startswith("socks://"):  # written by desktop environments
        value = value.replace("socks", "socks5", 1)
    remedy = "correct it, or add the server to NO_PROXY"
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        if usable and parts.scheme in SCHEMES:
            httpx.Proxy(value)
    except (ValueError, httpx.InvalidURL):
        parts, usable = urlsplit("//"), False
    if not usable:
        raise BadOption(f"The proxy in {variable} is not an address of the form "
                        f"http://host:port: {remedy}.")  # fmt: skip
    if parts.scheme not in SCHEMES:
        raise BadOption(
            f"The proxy in {variable} has an unsupported scheme (supported are "
            f"{', '.join(SCHEMES)}): {remedy}."
        )
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise BadOption(
            f"{variable} names a SOCKS proxy, which needs one more package: install it with "
            "`pip install socksio`, or add the server to NO_PROXY."
        )
    return value


@contextmanager
def own_requests() -> Iterator[None]:
    """Let other libraries connect to a server on this machine without a proxy.

    Changes the environment inside the context: HTTP clients ignore its proxies, and also its
    certificates if these are unreadable, since httpx would fail.
    """
    _drop_unusable_key_log()
    changes: dict[str, str | None] = {"NO_PROXY": "*", "no_proxy": "*"}
    if tls()[1]:
        changes |= {"SSL_CERT_FILE": None, "SSL_CERT_DIR": None}
    before = {name: os.environ.get(name) for name in changes}
    _set_all(changes)
    try:
        yield
    finally:
        _set_all(before)


def _set_all(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@lru_cache(maxsize=1)
def tls() -> tuple[ssl.SSLContext, str]:
    """Return the trusted certificates, and a note if those of the environment are unreadable.

    Cached, since reading them is slow.
    """
    _drop_unusable_key_log()
    variable = next((n for n in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(n)), "")
    note = ""
    if variable:
        path = Path(os.environ[variable])
        try:
            if variable == "SSL_CERT_DIR" and not path.is_dir():
                raise OSError  # OpenSSL would silently trust no certificate
            return httpx.create_ssl_context(), ""
        except OSError:  # ssl.SSLError is one
            note = (
                f"{variable} names certificates that cannot be read, so the default ones are used: "
                "correct the variable or remove it."
            )
            log.warning(note)
    return httpx.create_ssl_context(trust_env=False), note


def _drop_unusable_key_log() -> None:
    """Remove SSLKEYLOGFILE from the environment if its file cannot be written: ssl fails on it."""
    path = os.environ.get("SSLKEYLOGFILE")
    if not path:
        return
    try:
        with open(path, "ab"):
            pass
    except OSError as error:
        del os.environ["SSLKEYLOGFILE"]
        log.warning(
            "SSLKEYLOGFILE is ignored because its file cannot be written (%s)", error.strerror
        )
