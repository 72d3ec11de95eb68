"""What arrives in the topic is a job or one sentence, whatever it is."""

import json
import random

import pytest

from shipdet.cluster.jobs.message import MAX_MESSAGE_BYTES, JobMessage
from shipdet.errors import BadArea, BadJob, ShipdetError

GOOD = {"version": 2, "name": "harbour-1", "area": [4.0, 51.9, 4.01, 51.91]}
TRIANGLE = {"type": "Polygon", "coordinates": [[[4, 51.9], [4.01, 51.9], [4.01, 51.91]]]}


def decode(**changes: object) -> JobMessage:
    return JobMessage.decode(json.dumps(GOOD | changes).encode())


def test_a_message_survives_the_way_through_the_broker():
    message = decode(zoom=15, passes=1, threshold=0.4, reference="ticket 5")
    assert JobMessage.decode(message.encode()) == message


def test_equal_requests_have_equal_ids_and_others_differ():
    assert decode().id == decode().id == decode(reference="again").id
    others = [decode(zoom=15), decode(passes=1), decode(name="harbour-2"), decode(threshold=0.4),
              decode(area=[4.0, 51.9, 4.01, 51.92]), decode(min_length_m=40.0)]  # fmt: skip
    assert len({m.id for m in [decode(), *others]}) == 7
    assert len(decode().id) == 32


OPTIONS = {"min_length_m": 40.0, "date_from": "2024-05-01", "date_to": "2024-05-31",
         "max_cloud": 40}  # fmt: skip


def test_each_option_is_another_request():
    ids = {decode(**{field: value}).id for field, value in OPTIONS.items()}
    assert len(ids | {decode().id}) == len(OPTIONS) + 1


def test_an_option_at_its_default_is_not_part_of_the_id():
    unset = {"min_length_m": 25.0, "date_from": "", "date_to": None, "max_cloud": 20}
    assert decode(passes=1, **unset).id == decode(passes=1).id
    assert decode(passes=1).id == "be85182c94452d904185666318d613bc"


def test_options_of_imagery_and_search_reach_the_pipeline():
    request = decode(**OPTIONS).request((4.0, 51.9, 4.01, 51.91), 15)
    assert request.search.min_length_m == 40
    assert (request.date_from, request.date_to) == ("2024-05-01", "2024-05-31")
    assert request.max_cloud == 40


def test_a_date_has_one_form():
    assert decode(date_from=" 20240501 ").id == decode(date_from="2024-05-01").id


def test_numbers_of_an_area_may_be_whole():
    assert decode(area=[4, 51, 5, 52]).id == decode(area=[4.0, 51.0, 5.0, 52.0]).id


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "../../etc/passwd"}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "abc\n"}, "name"),
        ({"name": "a\u0000bc"}, "name"),
        ({"name": 5}, "name"),
        ({"area": [4.0, 51.9, 4.0, 51.91]}, "empty"),
        ({"area": [170.0, 0.0, -170.0, 1.0]}, "antimeridian"),
        ({"area": [4.0, 51.9, 4.01]}, "four numbers"),
        ({"area": ["4", 51.9, 4.01, 52]}, "four numbers"),
        ({"area": [True, False, True, False]}, "four numbers"),
        ({"area": [1e400, 0, 1, 1]}, "JSON"),
        ({"area": None}, "four numbers"),
        ({"area": {"type": "Point", "coordinates": [1, 2]}}, "Polygon"),
        ({"area": {"type": "Polygon", "coordinates": "x"}}, "coordinates"),
        ({"area": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, "three"),
        ({"area": "POLYGON ((0 0, 1 1"}, "WKT"),
        ({"area": "POLYGON (\u0000(4 51.9, 4.01 51.9, 4.01 51.91, 4 51.9))"}, "WKT"),
        ({"area": TRIANGLE | {"x": "\u0000"}}, "NUL"),
        ({"area": TRIANGLE | {"x": [{"\ud800": 1}]}}, "surrogates"),
        ({"area": [4.0, 51.9, 10**400, 52.0]}, "four numbers"),
        (
            {"area": {"type": "Polygon", "coordinates": [[[10**400, 0], [1, 1], [2, 2]]]}},
            "valid list",
        ),
        ({"area": "DROP TABLE jobs"}, "WKT"),
        ({"zoom": "15"}, "Zoom"),
        ({"zoom": 99}, "Zoom"),
        ({"passes": 3}, "Passes"),
        ({"passes": True}, "Passes"),
        ({"passes": 1, "selective": 1}, "Selective"),
        ({"stride": 7}, "stride"),
        ({"threshold": 1.5}, "threshold"),
        ({"backend": "tpu"}, "Backend"),
        ({"min_length_m": -1.0}, "min_length_m"),
        ({"min_length_m": "2"}, "min_length_m"),
        ({"date_from": "last week"}, "YYYY-MM-DD"),
        ({"date_to": "2024-02-30"}, "YYYY-MM-DD"),
        ({"date_from": "2024-01-0\u0000"}, "YYYY-MM-DD"),
        ({"date_from": 20240101}, "Date_from"),
        ({"date_from": "2024-05-02", "date_to": "2024-05-01"}, "swap"),
        ({"max_cloud": 101}, "Max_cloud"),
        ({"max_cloud": None}, "Max_cloud"),
        ({"model": "../x;rm"}, "Model"),
        ({"provider": "a b"}, "Provider"),
        ({"version": 3}, "Version"),
        ({"extra": 1}, "Extra"),
        ({"reference": "x" * 201}, "Reference"),
        ({"reference": "a\u0000b"}, "reference"),
    ],
)
def test_a_wrong_value_is_one_sentence(changes, says):
    with pytest.raises((BadJob, BadArea), match=f"(?i){says}") as caught:
        decode(**changes)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"5", b'"text"', b"{}", b"\xff\xfe", b"{" * 100_000,
        b"[" * 100_000 + b"]" * 100_000, b'{"version": NaN}', b"1" * 10_000,
        b" " * (MAX_MESSAGE_BYTES + 1), b'{"version": 2, "version": 1}',
        b'{"name": "abc", "area": [4, 51.9, 4.01, 51.91]}',
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ShipdetError):
        JobMessage.decode(data)


def test_fuzzed_messages_raise_nothing_but_sentences():
    rng = random.Random(7)
    text = json.dumps(GOOD | {"zoom": 15, "threshold": 0.5, "model": "shipdet-pico"})
    read = 0
    for _ in range(3000):
        data = bytearray(text.encode())
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            JobMessage.decode(bytes(data))
            read += 1
        except ShipdetError:
            pass
    assert read < 3000, "some of them must be wrong"


def test_a_polygon_of_too_many_corners_is_refused():
    ring = [[i / 1e6, (i % 7) / 10] for i in range(10_001)]
    with pytest.raises(BadArea, match="simplify"):
        JobMessage.of(GOOD | {"area": {"type": "Polygon", "coordinates": [ring]}})


def test_the_schema_is_published_and_knows_every_field():
    schema = JobMessage.model_json_schema()
    assert set(schema["properties"]) == set(JobMessage.model_fields)
    assert set(schema["required"]) == {"name", "area"}
