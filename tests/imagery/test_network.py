"""Proxies, certificates and the key log of the environment, sensible or not."""

import os

import httpx
import pytest

from shipdet.errors import BadOption
from shipdet.imagery.network import own_requests, proxied, proxy_for, tls

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
SERVER = "https://tiles.example.org/{z}/{x}/{y}"
PROXY = "http://proxy.example.org:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_variables_servers_are_asked_directly():
    assert proxy_for(SERVER) is None


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_the_usual_variables_name_the_proxy(monkeypatch, name):
    monkeypatch.setenv(name, PROXY)
    assert proxy_for(SERVER) == PROXY


def test_the_proxy_of_another_scheme_is_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    assert proxy_for(SERVER) is None


def test_a_proxy_without_a_scheme_is_an_http_one(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.org:3128")
    assert proxy_for(SERVER) == PROXY


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:80", "a.localhost",
                                  "[::ffff:127.0.0.1]:80"])  # fmt: skip
@pytest.mark.parametrize("value", [PROXY, "socks5://127.0.0.1:1080", "http://proxy:port"])
def test_this_machine_is_never_asked_through_a_proxy(monkeypatch, host, value):
    monkeypatch.setenv("ALL_PROXY", value)
    assert proxy_for(f"http://{host}/0/0/0.png") is None


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("example.org", "tiles.example.org", True),
        (".example.org", "tiles.example.org", True),
        ("*.example.org", "tiles.example.org", True),
        ("a.org, tiles.example.org", "tiles.example.org", True),
        ("TILES.EXAMPLE.ORG", "tiles.example.org", True),
        ("*", "tiles.example.org", True),
        ("ample.org", "tiles.example.org", False),
        ("tiles.example.org:8080", "tiles.example.org:8080", True),
        ("tiles.example.org:8080", "tiles.example.org", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("fd00::/8", "[fd12::7]", True),
        ("[fd12::7]", "[fd12::7]:8080", True),
        ("fd12::7", "[fd12::7]", True),
        ("[fd12::7]:8080", "[fd12::7]:8080", True),
        ("[FD12:0::7]:8080", "[fd12::7]:8080", True),
        ("[fd12::7]:8080", "[fd12::7]:80", False),
        ("[fd00::/8]", "[fd12::7]", True),
        ("[fd12::7", "[fd12::8]", False),
        ("fd12::7/129,10.0.0.1/x", "[fd12::7]", False),
        ("::1/128", "[fd12::7]", False),
        ("localhost,127.0.0.0/8,::1/128", "tiles.example.org", False),
        ("[::,http://x:y,,", "tiles.example.org", False),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(monkeypatch, no_proxy, host, direct):
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(f"http://{host}/0/0/0.png") is None) == direct


@pytest.mark.parametrize("server", ["[fd12::7]:8080", "[fd12::7]", "[fe80::1%25eth0]:80"])
def test_a_server_with_an_ipv6_address_has_its_proxy(monkeypatch, server):
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    ways, variable = proxied([f"http://{server}/0/0/0"], tls()[0], httpx.Limits())
    httpx.AsyncClient(mounts=ways)
    assert len(ways) == 1 and variable == "HTTP_PROXY"


@pytest.mark.parametrize("value", ["http://proxy:port", "http://", "http://[::1", "http://h:0"])
def test_a_proxy_that_is_no_address_is_named(monkeypatch, value):
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(BadOption, match="The proxy in HTTPS_PROXY is not an address"):
        proxy_for(SERVER)


def test_a_proxy_of_an_unknown_kind_is_named(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks4://proxy.example.org:1080")
    with pytest.raises(BadOption, match="ALL_PROXY has an unsupported scheme"):
        proxy_for(SERVER)


@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
def test_a_socks_proxy_says_which_package_it_needs(monkeypatch, scheme):
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:secret@proxy.example.org:1080")
    monkeypatch.setattr("shipdet.imagery.network.find_spec", lambda name: None)
    with pytest.raises(BadOption, match="pip install socksio") as caught:
        proxy_for(SERVER)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_certificates_that_cannot_be_read_are_noted(monkeypatch, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    tls.cache_clear()
    certificates, note = tls()
    tls.cache_clear()
    assert note.startswith("SSL_CERT_FILE names certificates that cannot be read")
    assert certificates.cert_store_stats()["x509_ca"] > 0


def test_a_missing_folder_of_certificates_is_noted(monkeypatch, tmp_path):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    tls.cache_clear()
    assert tls()[1].startswith("SSL_CERT_DIR")
    tls.cache_clear()


@pytest.mark.parametrize("name", ["", "none/keys.log"])  # a folder, a file that cannot be made
def test_a_key_log_that_cannot_be_written_is_ignored(monkeypatch, tmp_path, caplog, name):
    tls.cache_clear()
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / name))
    tls()
    assert "SSLKEYLOGFILE" not in os.environ
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / name))
    with own_requests():
        httpx.Client()
    assert "SSLKEYLOGFILE is ignored" in caplog.text
    tls.cache_clear()


def test_a_key_log_that_can_be_written_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    tls.cache_clear()
    tls()
    tls.cache_clear()
    assert "SSLKEYLOGFILE" in os.environ
