"""The map: everything that touches gradio-folium.

gradio-folium shows a folium map in a frame of its own and returns nothing to Python, so two small
scripts talk to each other: ``static/map.js`` in the frame and ``static/bridge.js`` in the page.
Leaflet and its drawing plugin are served from ``static/``; folium's links to content delivery
networks are replaced.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import folium
import gradio as gr
from branca.element import Element, MacroElement
from folium.plugins import Draw
from folium.template import Template
from gradio_folium import Folium

from shipdet.geometry import BBox
from shipdet.imagery import Provider, sample

STATIC = Path(__file__).resolve().parent / "static"
MAX_MAP_ZOOM = 21
AREA_STYLE = {"color": "#ffb000", "weight": 2.5, "fillColor": "#ffb000", "fillOpacity": 0.06}

Links = list[tuple[str, str]]


def serve_static_files() -> None:
    """Let gradio serve ``static/`` as it is."""
    gr.set_static_paths([STATIC])


def page_head() -> str:
    """The page's side of the bridge, for ``gr.Blocks(head=...)``."""
    return f"<script>{(STATIC / 'bridge.js').read_text()}</script>"


def map_component(
    providers: Iterable[Provider], shown: str, area: BBox, height: int = 520
) -> Folium:
    """The map as a gradio component, output only: as an input it would break the API's schema."""
    return Folium(build_map(providers, shown, area), height=height, elem_id="map", container=False)


def build_map(providers: Iterable[Provider], shown: str, area: BBox) -> folium.Map:
    """A map with the providers' base layers, rectangle drawing, and the area of interest.

    ``shown`` is the id of the base layer to begin with.
    """
    chart = _LocalMap(
        location=area.center[::-1],
        tiles=None,
        zoom_start=14,
        max_zoom=MAX_MAP_ZOOM,
        font_size="13px",
        world_copy_jump=True,
    )
    root = chart.get_root()
    # The frame's document is a blob, where relative addresses mean nothing: take the page's base.
    base = "document.write(`<base href=\"${window.parent.document.baseURI.split('?')[0]}\">`)"
    root.header.add_child(Element(f"<script>{base}</script>"), name="base", index=0)
    layers = {}
    for provider in providers:
        if provider.base_layer:
            layers[provider.id] = _base_layer(provider, provider.id == shown).add_to(chart)
    drawn = folium.FeatureGroup(name="Area", control=False).add_to(chart)
    folium.Rectangle(_corners(area), **AREA_STYLE).add_to(drawn)
    ships = folium.FeatureGroup(name="Ships").add_to(chart)
    # showArea: Leaflet.draw 1.0.4 raises a ReferenceError when it writes a rectangle's area.
    _LocalDraw(
        feature_group=drawn,
        show_geometry_on_click=False,
        draw_options={
            **dict.fromkeys(("polyline", "polygon", "circle", "marker", "circlemarker"), False),
            "rectangle": {"showArea": False, "shapeOptions": AREA_STYLE},
        },
    ).add_to(chart)
    folium.LayerControl(collapsed=True).add_to(chart)
    chart.fit_bounds(_corners(area), padding=(24, 24))
    _Bridge(drawn, ships, layers).add_to(chart)
    return chart


def _address(name: str) -> str:
    return f"gradio_api/file={(STATIC / name).as_posix()}"


class _LocalMap(folium.Map):
    default_js: ClassVar[Links] = [
        ("leaflet", _address("leaflet/leaflet.js")),
        ("shipdet_map", _address("map.js")),
    ]
    default_css: ClassVar[Links] = [
        ("leaflet_css", _address("leaflet/leaflet.css")),
        ("shipdet_css", _address("map.css")),
    ]


class _LocalDraw(Draw):
    default_js: ClassVar[Links] = [("leaflet_draw_js", _address("leaflet-draw/leaflet.draw.js"))]
    default_css: ClassVar[Links] = [("leaflet_draw_css", _address("leaflet-draw/leaflet.draw.css"))]


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
        super().__init__()
        self.area, self.ships, self.layers = area, ships, layers
        self.area_style = AREA_STYLE


def _base_layer(provider: Provider, show: bool) -> folium.TileLayer:
    return folium.TileLayer(
        # Relative, so that it works behind a proxy's path as well.
        tiles=provider.url.removeprefix("/"),
        attr=provider.attribution,
        name=provider.title,
        min_zoom=provider.min_zoom if provider.kind == "sample" else 0,
        max_zoom=MAX_MAP_ZOOM,
        max_native_zoom=provider.native_zoom,
        overlay=False,
        show=show,
        **({"bounds": _corners(sample.bbox())} if provider.kind == "sample" else {}),
    )


def _corners(box: BBox) -> list[list[float]]:
    """As Leaflet wants it: latitude first."""
    return [[box.south, box.west], [box.north, box.east]]
