"""The map's document and the page's side of the bridge."""

import re

import pytest

from shipdet.imagery import catalog, sample
from shipdet.settings import Settings
from shipdet.ui.map import STATIC, build_map, page_head


@pytest.fixture
def document(settings: Settings) -> str:
    chart = build_map(catalog(settings).values(), "sample", sample.bbox())
    return str(chart.get_root().render())


def test_scripts_and_styles_are_our_own(document):
    linked = re.findall(r'(?:src|href)="([^"$]+)"', document)
    files = [link for link in linked if link.startswith("gradio_api/file=")]
    assert len(files) == 7
    assert [link for link in linked if link not in files] == []
    assert all(STATIC.joinpath(link.split("/static/")[1]).is_file() for link in files)
    assert not re.search("jquery|bootstrap|awesome|cdn", document, re.IGNORECASE)


def test_base_address_comes_before_everything_that_is_relative(document):
    assert document.index("<base href=") < document.index("gradio_api/file=")


def test_rectangles_and_polygons_can_be_drawn(document):
    for shape in ("polyline", "circle", "marker", "circlemarker"):
        assert re.search(rf'"{shape}": false', document)
    assert re.search(r'"rectangle": \{', document) and re.search(r'"polygon": \{', document)


def test_every_base_layer_is_there_with_its_attribution(document, settings):
    for provider in catalog(settings).values():
        own = f"tiles/{provider.id}/{{z}}/{{x}}/{{y}}.png"
        assert (provider.url.removeprefix("/") if provider.base_layer else own) in document
        assert f'"{provider.id}": tile_layer_' in document
    assert "Synthetic harbor drawn by shipdet" in document


def test_no_secret_reaches_the_browser(settings):
    secret = settings.model_copy(
        update={
            "xyz_url": "https://tiles.example/{z}/{x}/{y}?key=SECRET",
            "sentinelhub_instance_id": "SECRET",
        }
    )
    chart = build_map(catalog(secret).values(), "sample", sample.bbox())
    assert "SECRET" not in chart.get_root().render()


def test_vendored_packages_carry_their_licenses():
    assert "Redistribution and use" in (STATIC / "leaflet" / "LICENSE").read_text()
    assert "Permission is hereby granted" in (STATIC / "leaflet-draw" / "LICENSE").read_text()


def test_the_bridge_checks_who_speaks():
    for script in (page_head(), (STATIC / "map.js").read_text()):
        assert "origin !== window.origin" in script
