import re
from datetime import UTC, datetime

import pytest

from shipdet.errors import ProviderUnreachable
from shipdet.imagery.retry import Breaker, RetryPolicy, parse_retry_after, unreachable

NOW = datetime(2024, 6, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("Sat, 01 Jun 2024 12:00:30 GMT", 30),
        ("Sat, 01 Jun 2024 11:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        ("\u00b2", None),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +" + "9" * 20, None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value, seconds):
    assert parse_retry_after(value, NOW) == seconds


def test_waits_double_with_jitter_up_to_a_cap():
    most, least = RetryPolicy(jitter=lambda: 1.0), RetryPolicy(jitter=lambda: 0.0)
    assert [most.delay_s(n) for n in range(8)] == [0.5, 1, 2, 4, 8, 16, 20, 20]
    assert least.delay_s(3) == 2


def test_a_servers_wish_counts_but_not_for_ever():
    assert RetryPolicy().delay_s(0, "7") == 7
    assert RetryPolicy().delay_s(0, "86400") == 60


def test_the_breaker_opens_after_failures_in_a_row_only():
    breaker = Breaker("Tiles", 3)
    for _ in range(2):
        breaker.failure("HTTP 500", first=True)
    breaker.success()
    for _ in range(2):
        breaker.failure("HTTP 500", first=True)
    with pytest.raises(ProviderUnreachable, match="HTTP 500"):
        breaker.failure("HTTP 500", first=True)


def test_repetitions_of_few_bad_tiles_do_not_open_the_breaker():
    breaker = Breaker("Tiles", 3)
    breaker.success()
    for _ in range(20):
        breaker.failure("HTTP 500", first=False)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("a web page instead of an image", "login page intercepts"),
        ("a JSON message instead of an image", "JSON message.*to read the message"),
        ("an image in the format GIF, which is not supported", "format GIF.*PNG, JPEG or WebP"),
        ("something that is not a PNG, JPEG or WebP image", "check that its address"),
        ("a response of more than 4 MiB", "sends a response of more than 4 MiB: check that"),
        ("a redirect to another server", "has moved or requires a login"),
        ("the proxy requires a login (HTTP 407)", "the proxy's address and login"),
        ("HTTP 400", r"does not accept the request \(HTTP 400\): check the address"),
        ("HTTP 402", r"requires payment \(HTTP 402\)"),
        ("HTTP 451", r"legal reasons \(HTTP 451\)"),
        ("HTTP 408", "check the network"),
        ("HTTP 503", "check the network"),
    ],
)
def test_the_last_answer_decides_what_to_check(what, sentence):
    said = unreachable("Tiles {}", what)
    assert re.search(sentence, said) and said.startswith("Tiles {} ")
    assert ("check the network" in said) == (sentence == "check the network")
