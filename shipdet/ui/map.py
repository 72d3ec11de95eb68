"""The map: all code that uses gradio-folium.

gradio-folium shows a folium map in an iframe and returns nothing to Python, so two scripts exchange
messages: ``static/map.js`` in the iframe and ``static/bridge.js`` in the page.
Leaflet and its drawing plugin are served from ``static/``; folium's links to content delivery
networks are replaced.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import folium
import gradio as gr
from branca.element import Element, MacroElement
from folium.plugins import Draw
from folium.template import Template
from gradio_folium import Folium

from shipdet.geometry import BBox
from shipdet.imagery import Provider
from shipdet.ui.choices import sample_area

STATIC = Path(__file__).resolve().parent / "static"
MAX_MAP_ZOOM = 21
AREA_STYLE: dict[str, Any] = {
    "color": "#ffb000",
    "weight": 2.5,
    "fillColor": "#ffb000",
    "fillOpacity": 0.06,
}


def serve_static_files() -> None:
    """Let gradio serve the files in ``static/``."""
    gr.set_static_paths([STATIC])


def page_head() -> str:
    """Return the page's own scripts, for ``gr.Blocks(head=...)``."""
    scripts = (STATIC / name for name in ("bridge.js", "alive.js"))
    return "".join(f"<script>{script.read_text()}</script>" for script in scripts)


def map_component(
    providers: Iterable[Provider], shown: str, area: BBox, height: int = 520
) -> Folium:
    """Return the map as an output component; as an input it would break the API's schema."""
    drawn = build_map(providers, shown, area)
    with warnings.catch_warnings():
        # gradio_folium sets a label for every map, and gradio warns of one without a container.
        warnings.filterwarnings("ignore", "show_label has no effect", UserWarning)
        return Folium(drawn, height=height, elem_id="map", container=False)


def build_map(providers: Iterable[Provider], shown: str, area: BBox) -> folium.Map:
    """Return a map with base layers, drawing and measuring tools, and the area of interest.

    ``shown`` is the id of the first base layer shown.
    """
    chart = folium.Map(
        location=area.center[::-1],
        tiles=None,
        zoom_start=14,
        max_zoom=MAX_MAP_ZOOM,
        font_size="13px",
        world_copy_jump=True,
    )
    chart.default_js = _addresses("leaflet/leaflet.js", "measure.js", "map.js")
    chart.default_css = _addresses("leaflet/leaflet.css", "map.css")
    # The iframe's document is a blob without a base for relative addresses: use the page's base.
    base = "document.write(`<base href=\"${window.parent.document.baseURI.split('?')[0]}\">`)"
    head: Element = chart.get_root().header  # type: ignore[attr-defined]  # the root is a Figure
    head.add_child(Element(f"<script>{base}</script>"), name="base", index=0)
    layers = {p.id: _base_layer(p, p.id == shown) for p in providers}
    drawn = folium.FeatureGroup(name="Area", control=False)
    folium.Rectangle(_corners(area), **AREA_STYLE).add_to(drawn)
    ships = folium.FeatureGroup(name="Ships")
    draw = Draw(  # type: ignore[no-untyped-call]
        feature_group=drawn,
        show_geometry_on_click=False,
        draw_options={
            **dict.fromkeys(("polyline", "circle", "marker", "circlemarker"), False),
            # Leaflet.draw 1.0.4 raises a ReferenceError when it writes an area.
            "rectangle": {"showArea": False, "shapeOptions": AREA_STYLE},
            "polygon": {"showArea": False, "allowIntersection": False, "shapeOptions": AREA_STYLE},
        },
    )
    draw.default_js = _addresses("leaflet-draw/leaflet.draw.js")
    draw.default_css = _addresses("leaflet-draw/leaflet.draw.css")
    control = folium.LayerControl(collapsed=True)
    for part in (*layers.values(), drawn, ships, draw, control, _Bridge(drawn, ships, layers)):
        part.add_to(chart)
    chart.fit_bounds(_corners(area), padding=(24, 24))
    return chart


def _addresses(*names: str) -> list[tuple[str, str]]:
    return [(name, f"gradio_api/file={(STATIC / name).as_posix()}") for name in names]


class _Bridge(MacroElement):
    """Starts ``map.js`` once the map, its groups and base layers exist."""

    _template = Template("""
        {% macro script(this, kwargs) %}
        shipdetMap.start({
            map: {{ this._parent.get_name() }},
            area: {{ this.area.get_name() }},
            areaStyle: {{ this.area_style|tojson }},
            ships: {{ this.ships.get_name() }},
            layers: {
                {%- for id, layer in this.layers.items() %}
                {{ id|tojson }}: {{ layer.get_name() }},
                {%- endfor %}
            },
        });
        {% endmacro %}
    """)

    def __init__(
        self,
        area: folium.FeatureGroup,
        ships: folium.FeatureGroup,
        layers: dict[str, folium.TileLayer],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.area, self.ships, self.layers = area, ships, layers
        self.area_style = AREA_STYLE


def _base_layer(provider: Provider, show: bool) -> folium.TileLayer:
    limits: dict[str, Any] = {}
    if provider.kind == "sample":  # it has no tiles elsewhere
        limits = {"bounds": _corners(sample_area()), "min_zoom": provider.min_zoom}
    return folium.TileLayer(
        tiles=layer_address(provider),
        attr=provider.attribution or provider.title,
        name=provider.title,
        max_zoom=MAX_MAP_ZOOM,
        max_native_zoom=provider.native_zoom,
        overlay=False,
        show=show,
        shipdet_title=provider.title,
        **limits,
    )


def layer_address(provider: Provider) -> str:
    """Return the template of a provider's tiles for a browser.

    This server's own addresses are relative, so that they also work behind a proxy's path. Tiles
    that the browser must not or cannot request directly come through this server.
    """
    if provider.base_layer:
        return provider.url.removeprefix("/")
    return f"tiles/{provider.id}/{{z}}/{{x}}/{{y}}.png"


def _corners(box: BBox) -> list[list[float]]:
    """Return the corners with latitude first, as in Leaflet."""
    return [[box.south, box.west], [box.north, box.east]]
