"""Every usual writing of a place gives the place; what is wrong gives one sentence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipdet.errors import BadPlace, ShipdetError
from shipdet.geometry import MAX_LATITUDE
from shipdet.places import find_place

LAT = st.floats(-84, 84).map(lambda v: round(v, 6))
LON = st.floats(-179.9, 179.9).map(lambda v: round(v, 6))


def number(value: float, digits: int = 6) -> str:
    """Never in scientific notation."""
    return f"{value:.{digits}f}"


def sexagesimal(value: float, form: str, letters: str) -> str:
    """A value to a hundredth of a second, with a letter instead of a sign."""
    total = round(abs(value) * 360000)
    degrees, rest = divmod(total, 360000)
    minutes, hundredths = divmod(rest, 6000)
    letter = letters[0] if value >= 0 else letters[1]
    return form.format(d=degrees, m=minutes, s=hundredths / 100, n=letter)


WRITINGS = {
    "comma and space": lambda lat, lon: f"{number(lat)}, {number(lon)}",
    "space": lambda lat, lon: f"{number(lat)} {number(lon)}",
    "brackets": lambda lat, lon: f"({number(lat)},{number(lon)})",
    "decimal commas": lambda lat, lon: f"{number(lat)}; {number(lon)}".replace(".", ","),
    "commas all over": lambda lat, lon: (
        f"{number(lat).replace('.', ',')}, {number(lon).replace('.', ',')}"
    ),
    "unicode minus": lambda lat, lon: f"{number(lat)}, {number(lon)}".replace("-", "−"),
    "labels": lambda lat, lon: f"lon={number(lon)} lat={number(lat)}",
    "letters after": lambda lat, lon: (
        f"{number(abs(lat))}°{'N' if lat >= 0 else 'S'} {number(abs(lon))}° {'EW'[lon < 0]}"
    ),
    "letters before, east first": lambda lat, lon: (
        f"{'EW'[lon < 0]}{number(abs(lon))} {'NS'[lat < 0]}{number(abs(lat))}"
    ),
    "geo": lambda lat, lon: f"geo:{number(lat)},{number(lon)}",
    "openstreetmap": lambda lat, lon: (
        f"https://www.openstreetmap.org/#map=14/{number(lat)}/{number(lon)}"
    ),
    "openstreetmap pin": lambda lat, lon: (
        f"https://www.openstreetmap.org/?mlat={number(lat)}&mlon={number(lon)}#map=5/1/2"
    ),
    "google": lambda lat, lon: f"https://www.google.com/maps/@{number(lat)},{number(lon)},12z",
    "google pin": lambda lat, lon: (
        f"https://www.google.com/maps/place/X/@1,2,9z/data=!4m6!3d{number(lat)}!4d{number(lon)}"
    ),
    "google query": lambda lat, lon: f"https://maps.google.com/?q={number(lat)}%2C{number(lon)}",
}
SEXAGESIMAL = {
    "plain": "{d}°{m}'{s:.2f}\"{n}",
    "spaces": "{d} {m:02d} {s:05.2f} {n}",
    "unicode": "{d}º {m}′ {s:.2f}″ {n}",
    "typographic": "{d}° {m}’ {s:.2f}” {n}",
    "letters": "{d}d {m}m {s:.2f}s {n}",
    "before": "{n} {d}°{m}'{s:.2f}\"",
}


@pytest.mark.parametrize("writing", WRITINGS)
@given(lat=LAT, lon=LON)
def test_decimal_writings_give_the_place(writing, lat, lon):
    (place,) = find_place(WRITINGS[writing](lat, lon))
    assert math.isclose(place.lat, lat, abs_tol=1e-6)
    assert math.isclose(place.lon, lon, abs_tol=1e-6)


@pytest.mark.parametrize("form", SEXAGESIMAL)
@given(lat=LAT, lon=LON)
def test_minutes_and_seconds_give_the_place(form, lat, lon):
    pattern = SEXAGESIMAL[form]
    text = f"{sexagesimal(lat, pattern, 'NS')}, {sexagesimal(lon, pattern, 'EW')}"
    (place,) = find_place(text)
    assert math.isclose(place.lat, lat, abs_tol=2e-6)
    assert math.isclose(place.lon, lon, abs_tol=2e-6)


@given(lat=LAT, lon=LON)
def test_a_place_lies_in_the_area_that_shows_it(lat, lon):
    (place,) = find_place(f"{number(lat)} {number(lon)}")
    assert place.bbox.west <= place.lon <= place.bbox.east
    assert place.bbox.south <= place.lat <= place.bbox.north


@given(st.text(max_size=40))
def test_any_text_gives_places_or_one_sentence(text):
    try:
        found = find_place(text)
    except ShipdetError as error:
        assert "\n" not in str(error).replace(text.strip()[:60], "")
        assert str(error).endswith(".")
    else:
        assert found
        assert all(abs(p.lat) <= MAX_LATITUDE and abs(p.lon) <= 180 for p in found)


@given(st.text("0123456789 ,.;-+°'\"NSEWnw/()", max_size=30))
def test_any_mixture_of_signs_gives_a_place_or_a_sentence(text):
    try:
        found = find_place(text)
    except ShipdetError as error:
        assert str(error).endswith(".")
    else:
        assert all(abs(p.lat) <= MAX_LATITUDE and abs(p.lon) <= 180 for p in found)


@pytest.mark.parametrize(
    ("text", "lat", "lon"),
    [
        ("36-07.8N 005-25.8W", 36.13, -5.43),
        ("360748N 0052548W", 36.13, -5.43),
        ("36,13 -5,43", 36.13, -5.43),
        ("36,13 N 5,43 W", 36.13, -5.43),
        ("36,13", 36, 13),
        ("36 07 48 -5 25 48", 36.13, -5.43),
        ("-118.2, 33.7", 33.7, -118.2),
        ("33.7, -118.2", 33.7, -118.2),
        ("-0°30', -0°15'", -0.5, -0.25),
        ("52.52 north 13.405 east", 52.52, 13.405),
        ("36.13, 354.57", 36.13, -5.43),
        ("3５.5, 13", 35.5, 13),
        ("geo:0,0?q=36.13,-5.43(Algeciras)", 36.13, -5.43),
        ("https://www.google.com/maps/place/36%C2%B007'48.0%22N+5%C2%B025'48.0%22W/",
         36.13, -5.43),
        ("https://www.bing.com/maps?cp=36.13~-5.43&lvl=11", 36.13, -5.43),
        ("https://maps.apple.com/?ll=36.13,-5.43", 36.13, -5.43),
        ("https://browser.dataspace.copernicus.eu/?zoom=12&lat=36.13&lng=-5.43", 36.13, -5.43),
    ],
)  # fmt: skip
def test_further_writings_give_the_place(text, lat, lon):
    (place,) = find_place(text)
    assert (place.lat, place.lon) == pytest.approx((lat, lon))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Type the name"),
        ("x" * 3000, "at most"),
        ("95, 200", "latitude of 95"),
        ("40, 400", "longitude of 400"),
        ("5900000, 500000", "look projected"),
        ("89, 10", "Maps end at"),
        ("36°70'N 5°W", "less than 60"),
        ("36.5°30'N 5°W", "Only the last"),
        ("-5.43 W, 36 N", "sign and a letter"),
        ("36 N 5 S", "Both coordinates are latitudes"),
        ("36 N S 5 W", "before both"),
        ("lat 36 W lon 5 N", "contradict"),
        ("5 O 36 N", "write E or W"),
        ("36,13,-5,43", "decimal commas"),
        ("36 13 -5 43", "swap the two"),
        ("36°N", "one latitude and one longitude"),
        ("https://maps.app.goo.gl/abc", "short link"),
        ("https://example.org/nothing", "no coordinates"),
        ("https://[", "not a valid address"),
        ("geo:here", "geo:36.13"),
        ("geo:95,0", "latitude of 95"),
        ("30/1/1", "zoom above"),
        ("3/8/0", "does not exist"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text, says):
    with pytest.raises(BadPlace, match=says):
        find_place(text)


def test_a_box_is_shown_whole():
    (place,) = find_place("-6, 36, -5.5, 37")
    assert place.kind == "area"
    assert place.bbox.as_tuple() == (-6, 36, -5.5, 37)
    assert place.zoom == 9


def test_a_map_link_keeps_its_zoom():
    (place,) = find_place("https://www.google.com/maps/@36.13,-5.43,12z")
    assert place.zoom == 12
    (closer,) = find_place("https://www.google.com/maps/@36.13,-5.43,1500m/data=x")
    assert closer.zoom == 15


@given(st.integers(4, 22), st.data())
def test_a_quadkey_and_its_tile_are_the_same_place(zoom, data):
    x, y = (data.draw(st.integers(0, 2**zoom - 1)) for _ in "xy")
    bits = zip(f"{x:0{zoom}b}", f"{y:0{zoom}b}", strict=True)
    quadkey = "".join(str(int(right) + 2 * int(down)) for right, down in bits)
    assert find_place(quadkey) == find_place(f"{zoom}/{x}/{y}.png")


def test_a_tile_is_shown_as_the_area_it_is():
    (tile,) = find_place("4/3/5")
    assert tile.kind == "tile"
    assert tile.bbox.as_tuple() == pytest.approx((-112.5, 40.9799, -90, 55.7766), abs=1e-4)
