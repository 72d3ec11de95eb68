import pytest

from shipdet.errors import BadOption, ProviderRefused, UnknownProvider
from shipdet.geometry import BBox
from shipdet.imagery import catalog, get_provider, plan
from shipdet.imagery.providers import cache_digest, effective_provider, url_template
from shipdet.requests import ImageryOptions

INSTANCE = "12345678-secret-instance"
AREA = BBox(4.0, 51.9, 4.05, 51.95)


def test_every_provider_says_where_it_comes_from(settings):
    for provider in catalog(settings).values():
        assert provider.title and provider.attribution and provider.license
        assert provider.license_url.startswith("https://")


def test_the_operators_template_alone_reaches_another_server(settings_for):
    assert "xyz" not in catalog(settings_for())
    own = settings_for(xyz_url="https://tiles.example/{z}/{x}/{y}?key=abc", xyz_title="Ours")
    assert get_provider("xyz", own).title == "Ours"


@pytest.mark.parametrize("url", ["file:///etc/{z}{x}{y}", "https://a.example/{z}/{x}", "{z}{x}{y}"])
def test_a_template_that_cannot_work_is_refused(settings_for, url):
    with pytest.raises(BadOption, match="SHIPDET_XYZ_URL"):
        catalog(settings_for(xyz_url=url))


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        ("{r}.png", r"\{r\}: remove it"),
        (".png?key={apikey}", r"placeholder \{apikey\}"),
        (".png?key=%7Bkey%7D", "placeholder %7Bkey%7D"),
        (".png?key=<key>", "placeholder <key>"),
        (".png?key=YOUR_API_KEY", "placeholder YOUR_API_KEY"),
        (".png?key=%3Ckey%3E", "placeholder %3Ckey%3E"),
        (".png?key=YOUR_KEY_HERE", "placeholder YOUR_KEY_HERE"),
        (".png?token=yourapikey&a=b", "placeholder yourapikey"),
        (".png?key=MY_KEY", "placeholder MY_KEY"),
        (".png?key=xxxx-xxxx&a=b", "placeholder xxxx-xxxx"),
        ("/XXX/tile.png", "placeholder XXX"),
        (".png?key=***", r"placeholder \*\*\*"),
        ("?{", r"placeholder \{"),
        ("/{-y}", r"placeholder \{-y\}"),
        ("/{switch:a,b}", r"placeholder \{switch:a,b\}"),
        (".png ", "white space"),
        (".png\n", "white space"),
        (".png?name=a b", "white space"),
        ("/{s}", "SHIPDET_XYZ_SUBDOMAINS"),
    ],
)
def test_what_is_left_open_in_a_template_is_named(settings_for, rest, named):
    url = f"https://a.example/{{z}}/{{x}}/{{y}}{rest}"
    with pytest.raises(BadOption, match=f"SHIPDET_XYZ_URL.*{named}"):
        catalog(settings_for(xyz_url=url))


@pytest.mark.parametrize(("z", "named"), [("${z}", r"\$\{z\}"), ("{{z}}", r"\{\{z\}\}")])
def test_placeholders_of_other_programs_are_named(settings_for, z, named):
    url = f"https://a.example/{z}/{{x}}/{{y}}"
    with pytest.raises(BadOption, match=rf"contains {named}: write \{{z\}} instead"):
        catalog(settings_for(xyz_url=url))


def test_escaped_placeholders_are_understood(settings_for):
    settings = settings_for(xyz_url="https://a.example/%7Bz%7D/%7bx%7d/%7By%7D")
    assert get_provider("xyz", settings).url == "https://a.example/{z}/{x}/{y}"


@pytest.mark.parametrize("rest", ["?key=abc123xxx9", "?key=Xx1Yz", "/monkey.png", "?monkey=a.key"])
def test_a_key_is_no_placeholder(settings_for, rest):
    url = f"https://yourgrid.example/xxl/{{z}}/{{x}}/{{y}}{rest}"
    assert get_provider("xyz", settings_for(xyz_url=url)).url == url


@pytest.mark.parametrize("host", ["a.example:port", "[a.example", "[abc].example", ":80", ""])
def test_an_impossible_host_is_a_wrong_setting(settings_for, host):
    with pytest.raises(BadOption, match="SHIPDET_XYZ_URL"):
        catalog(settings_for(xyz_url=f"https://{host}/{{z}}/{{x}}/{{y}}"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b, c", ("a", "b", "c")),
        ("abc", ("a", "b", "c")),
        ("t1,", ("t1",)),
        ("1-4", ("1", "2", "3", "4")),
        ("a-c", ("a", "b", "c")),
        ("08-10", ("08", "09", "10")),
        ("1-2, eu-1", ("1", "2", "eu-1")),
    ],
)
def test_subdomains_are_a_list_a_range_or_letters(settings_for, text, names):
    settings = settings_for(xyz_url="https://{s}.example.org/{z}/{x}/{y}", xyz_subdomains=text)
    assert get_provider("xyz", settings).subdomains == names


@pytest.mark.parametrize("text", ["a/b,c", "4-1", "a-C", "t1-t4", "-"])
def test_subdomains_that_are_no_names_are_refused(settings_for, text):
    settings = settings_for(xyz_url="https://{s}.example.org/{z}/{x}/{y}", xyz_subdomains=text)
    with pytest.raises(BadOption, match="SHIPDET_XYZ_SUBDOMAINS"):
        catalog(settings)


def test_tiles_of_512_px_are_as_detailed_as_the_next_zoom(settings_for):
    url = "https://a.example/{z}/{x}/{y}"
    own = get_provider("xyz", settings_for(xyz_url=url, xyz_max_zoom=17, xyz_tile_px=512))
    assert (own.min_zoom, own.native_zoom, own.max_zoom) == (1, 18, 18)


def test_an_unknown_provider_lists_the_known_ones(settings):
    with pytest.raises(UnknownProvider, match="esri, eox, sentinelhub, sentinel2, osm, sample"):
        get_provider("google", settings)


def test_the_map_of_openstreetmap_is_not_downloaded(settings):
    with pytest.raises(ProviderRefused, match="forbids bulk download"):
        plan(AREA, 15, get_provider("osm", settings), 0, settings)


def test_esri_is_asked_y_before_x_and_without_blank_tiles(settings):
    template = url_template(get_provider("esri", settings), ImageryOptions(), settings)
    assert template.endswith("/tile/{z}/{y}/{x}?blankTile=false")


def test_sentinel_hub_without_an_instance_becomes_eox_noted(settings):
    provider, notes = effective_provider(get_provider("sentinelhub", settings), settings)
    assert provider.id == "eox"
    assert "is used instead" in notes[0]


def test_sentinel_hub_gets_dates_clouds_and_priority(settings_for):
    settings = settings_for(sentinelhub_instance_id=INSTANCE)
    options = ImageryOptions(
        date_from="2024-05-01", date_to="2024-06-30", max_cloud=35, priority="mostRecent"
    )
    provider, _ = effective_provider(get_provider("sentinelhub", settings), settings)
    url = url_template(provider, options, settings)
    assert f"/wmts/{INSTANCE}?" in url
    for part in ("TIME=2024-05-01/2024-06-30", "MAXCC=35", "PRIORITY=mostRecent", "1_TRUE_COLOR"):
        assert part in url


def test_no_secret_is_in_what_visitors_or_disks_see(settings_for):
    settings = settings_for(
        sentinelhub_instance_id=INSTANCE, xyz_url="https://t.example/{z}/{x}/{y}?key=hush"
    )
    hub, own = (get_provider(name, settings) for name in ("sentinelhub", "xyz"))
    shown = [repr(hub), repr(own), str(hub.public()), str(own.public())]
    shown.append(cache_digest(url_template(hub, ImageryOptions(), settings)))
    assert not any(INSTANCE in text or "hush" in text for text in shown)


def test_base_layers_show_their_address_to_browsers(settings):
    assert "url" in get_provider("esri", settings).public()
    assert "url" not in get_provider("sentinelhub", settings).public()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"date_from": "2024-06-30", "date_to": "2024-06-01"}, "swap the two dates"),
        ({"date_from": "30.6.2024"}, "is not a date"),
        ({"date_to": "2024-13-01"}, "is not a date"),
        ({"max_cloud": 101}, "less than or equal to 100"),
        ({"max_cloud": -1}, "greater than or equal to 0"),
        ({"max_cloud": "many"}, "valid integer"),
        ({"max_cloud": float("nan")}, "finite number"),
        ({"priority": "best"}, "is not one of leastCC"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(BadOption, match=message):
        ImageryOptions.check(**options)


def test_empty_options_mean_the_defaults():
    assert ImageryOptions(date_from="", date_to=" ", priority="") == ImageryOptions()
    assert ImageryOptions().time_range is None
    assert ImageryOptions(date_from="2024-05-01").time_range.startswith("2024-05-01/20")
