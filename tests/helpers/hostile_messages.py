"""Messages that no honest client would send, the same ones for the same seed."""

import json
import random
from collections.abc import Callable
from typing import Any

GOOD: dict[str, Any] = {
    "version": 2, "name": "harbor-1", "area": [4.0, 51.9, 4.01, 51.91], "provider": "xyz",
    "zoom": 15, "passes": 0, "model": "", "threshold": 0.5, "reference": "",
}  # fmt: skip
OTHER_TYPES = [None, True, [], {}, [[]], {"a": 1}, "\x00", 1e308, -1, "x" * 300, [None] * 4]
#: Values that are wrong wherever they come from: by field, each certainly refused.
WRONG: dict[str, list[Any]] = {
    "version": [None, 0, 1, 3, "2", 2.5, -1, [], {}],
    "name": [
        "../../etc/passwd", "/etc/passwd", "..\\..\\windows", "a/b/c", "x\x00y", "name\n", "\u202e",
        "'; DROP TABLE jobs; --", "$(reboot)", "`id`", "{{7*7}}", "", "ab", "n" * 65,
        "\ud800ab", *OTHER_TYPES,
    ],
    "area": [
        [-180.0, -85.0, 180.0, 85.0], [-170.0, -80.0, 170.0, 80.0], [0.0, 0.0, 90.0, 60.0],
        [1e9, 1e9, 2e9, 2e9], [4.0, 52.0, 3.0, 51.0], [4.0, 51.0, 4.0, 51.0],
        [170.0, 0.0, -170.0, 1.0], [0.0, 89.0, 1.0, 91.0], ["4", "51", "5", "52"],
        [4.0, 51.0, 5.0], "POLYGON EMPTY", "POLYGON ((0 0, 1 1", "POINT (4 51)",
        "POLYGON ((" + "0 0, " * 50 + "0 0))", "file:///etc/passwd", "http://127.0.0.1/area",
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[["a", "b"], [1, 1], [2, 2]]]},
        {"type": "Feature", "geometry": None}, {"type": "GeometryCollection", "geometries": []},
        {"type": "Polygon", "coordinates": [[[4, 51], [5, 51], [5, 52]]], "x": "\x00"},
        {"type": "Polygon", "coordinates": [[[4, 51], [5, 51], [5, 52]]], "\ud800": 1},
        "POLYGON (\x00(4 51, 5 51, 5 52, 4 51))", [4.0, 51.0, 10**400, 52.0],
        {"type": "Polygon", "coordinates": [[[10**400, 0], [1, 1], [2, 2]]]},
        *OTHER_TYPES,
    ],
    "provider": [
        "moon", "../esri", "http://evil.example/{z}", "esri;ls", "p" * 41, "ESRI", " xyz", 5,
        *OTHER_TYPES[1:],
    ],
    "zoom": [-1, 25, 99, 10**30, "15", 15.5, True, [], {}],
    "passes": [-1, 3, 10**9, "1", 1.5, True, None, [], {}],
    "model": ["../../weights", "/etc/passwd", "evil/model", "a;b", "x" * 201, 7, *OTHER_TYPES[1:4]],
    "threshold": [-0.1, 1.1, 1e300, "0.5", True, [], {}],
    "date_from": ["last week", "2024-02-30", "\x00", "9" * 300, 20240101, True, [], {}],
    "max_cloud": [-1, 101, 10**30, "20", 20.5, True, None, [], {}],
    "reference": ["x" * 201, "a\x00b", "a\nb", "\x1b[2J", "\ud800", 5, *OTHER_TYPES[1:4]],
    "extra": [1, "x", None, {"a": {"b": {}}}],
    "__proto__": [{}, "x"],
}  # fmt: skip


def hostile_messages(count: int, seed: int) -> list[bytes]:
    """That many different messages, none of which may become a job that is run."""
    rng = random.Random(seed)
    kinds: list[Callable[[random.Random, int], bytes]] = [
        _wrong_value, _wrong_value, _wrong_value, _lacking, _no_object, _garbled, _noise, _deep,
        _foreign,
    ]  # fmt: skip
    made = dict.fromkeys([b"", b"null", b"{}", b"[]", b"\xff\xfe", b"NaN", b'"' * 3])
    made.update(dict.fromkeys(_huge(rng, number) for number in range(20)))
    while len(made) < count:
        made[rng.choice(kinds)(rng, len(made))] = None
    messages = list(made)
    rng.shuffle(messages)
    return messages


def _named(number: int) -> dict[str, Any]:
    return GOOD | {"name": f"hostile-{number}"}


def _wrong_value(rng: random.Random, number: int) -> bytes:
    field = rng.choice(list(WRONG))
    answer = _named(number) | {field: rng.choice(WRONG[field])}
    if field == "area":
        answer["zoom"] = 19  # so that no area of half a continent fits
    return json.dumps(answer).encode()


def _lacking(rng: random.Random, number: int) -> bytes:
    answer = _named(number)
    del answer[rng.choice(["version", "name", "area"])]
    return json.dumps(answer | {"reference": str(number)}).encode()


def _no_object(rng: random.Random, number: int) -> bytes:
    return json.dumps(rng.choice([[_named(number)], str(number), number, [number] * 9])).encode()


def _garbled(rng: random.Random, number: int) -> bytes:
    """A good message with some other bytes in it, and one at its end that JSON never has there."""
    data = bytearray(json.dumps(_named(number)).encode())
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data) + b"?"


def _noise(rng: random.Random, number: int) -> bytes:
    return b"\x80" + rng.randbytes(rng.randint(1, 400))


def _deep(rng: random.Random, number: int) -> bytes:
    opened = rng.choice([b"[", b'{"a":', b'{"area":['])
    return opened * rng.randint(100, 5000) + str(number).encode()


def _foreign(rng: random.Random, number: int) -> bytes:
    """A message of another program: no version, other names."""
    values = {
        "submit_name": f"old-{number}",
        "bbox_wkt": "POLYGON ((4 51, 5 51, 5 52, 4 52, 4 51))",
    }
    return json.dumps(values | {"zoom": rng.randint(0, 20), "aoi_id": str(number)}).encode()


def _huge(rng: random.Random, number: int) -> bytes:
    """More than a message may have: valid JSON, with a very long reference."""
    return json.dumps(_named(number) | {"reference": "x" * rng.randint(300_000, 800_000)}).encode()
