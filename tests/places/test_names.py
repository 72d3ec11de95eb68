"""Cities and ports by name, without a network."""

import pytest

from shipdet.errors import BadPlace
from shipdet.places import find_place


@pytest.mark.parametrize(
    ("text", "title", "lon", "lat"),
    [
        ("Algeciras", "Algeciras, Spain (port)", -5.438, 36.141),
        ("algeciras", "Algeciras, Spain (port)", -5.438, 36.141),
        ("Port of Rotterdam", "Rotterdam, The Netherlands (port)", 4.44, 51.9),
        ("Port of Spain", "Port of Spain, Trinidad and Tobago (port)", -61.51, 10.65),
        ("Gig Harbor", "Gig Harbor, Washington, United States", -122.58, 47.33),
        ("Jebel Ali", "Jebel Ali, United Arab Emirates (port)", 55.05, 25.02),
        ("valparaiso", "Valparaiso, Chile (port)", -71.6, -33.0),
        ("上海", "Shanghai, China", 121.46, 31.22),
        ("Norfolk, Virginia", "Norfolk, Virginia, United States", -76.29, 36.85),
        ("Saint-Petersburg, RU", "Saint Petersburg, Russia (port)", 30.31, 59.94),
        ("Skagen", "Skagen, Denmark", 10.58, 57.72),
    ],
)
def test_a_port_is_found_by_name(text, title, lon, lat):
    place = find_place(text)[0]
    assert place.name == title
    assert (place.lon, place.lat) == pytest.approx((lon, lat), abs=0.1)
    assert 11 <= place.zoom <= 13


def test_several_of_one_name_are_offered_largest_first():
    names = [place.name for place in find_place("Rotterdam")]
    assert names[:3] == [
        "Rotterdam, The Netherlands (port)",
        "Rotterdam, The Netherlands",
        "Rotterdam, New York, United States",
    ]


def test_the_beginning_of_a_name_is_enough():
    assert "Zeebrugge" not in [place.name for place in find_place("Felixst")]
    assert find_place("Felixst")[0].name.startswith("Felixstowe")


def test_cities_are_found_without_the_list_of_ports(monkeypatch):
    monkeypatch.setattr("shipdet.places.names.find_ports", lambda _: [])
    assert find_place("Algeciras")[0].name == "Algeciras, Spain"


@pytest.mark.parametrize("text", ["Atlantis-on-Sea", "Rotterdam, Japan", "||||", "\n|x"])
def test_an_unknown_name_gets_one_sentence(text):
    with pytest.raises(BadPlace, match=r"No city|too short"):
        find_place(text)
