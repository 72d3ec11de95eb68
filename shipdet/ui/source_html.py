"""HTML of places, areas, acquisitions, images and AIS, independent of gradio."""

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import shapely
from PIL import Image

from shipdet.errors import ShipdetError
from shipdet.pipeline import Estimate, ImageFacts, estimate_together
from shipdet.requests import AreaRequest
from shipdet.ui.html import duration, error_box, facts_box, hint, ships
from shipdet.words import number_of

if TYPE_CHECKING:
    from shipdet.ais import Contacts
    from shipdet.imagery.stac import Acquisition


NO_CONTACT = "The AIS file has no ship in this area."


def estimates_box(estimates: Sequence[Estimate]) -> str:
    """Return the estimate of several consecutive searches."""
    all_ = estimate_together(estimates)
    return facts_box(
        (
            f"{len(estimates)} areas",
            f"{all_.tiles:,} tiles",
            f"{all_.gsd_m:.2g} m per pixel",
            f"{all_.download_mb:.1f} MB",
            f"about {duration(all_.seconds)}",
        ),
        all_.notes,
    )


def images_box(facts: Sequence[ImageFacts]) -> str:
    """Return the estimate of a search of images."""
    first = facts[0]
    size = f"{first.width_px:,} × {first.height_px:,} px"
    if len(facts) > 1:
        pixels = sum(f.width_px * f.height_px for f in facts)
        size = f"{len(facts)} images, {pixels / 1e6:,.1f} million pixels"
    scales = sorted({f"{f.gsd_m:.2g}" for f in facts if f.gsd_m})
    scale = " to ".join(dict.fromkeys((scales[0], scales[-1]))) if scales else "?"
    placed = sum(f.outline is not None for f in facts)
    place = "placed on the map" if placed == len(facts) else "without a georeference"
    if 0 < placed < len(facts):
        place = f"{placed} placed on the map"
    took = f"about {duration(sum(f.seconds for f in facts))}"
    return facts_box((size, f"{scale} m per pixel", place, took))


def picture_card(facts: ImageFacts) -> str:
    """Return a preview of an image, as the search sees it, with its name, bands and notes."""
    buffer = io.BytesIO()
    Image.fromarray(facts.preview).save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    name = html.escape(facts.name)
    known = ", ".join(
        f"{number} {text}" for number, text in enumerate(facts.bands, start=1) if text
    )
    words = [name, f"bands: {known}" if known else "", *facts.notes]
    caption = " · ".join(html.escape(word) if word is not name else name for word in words if word)
    return (
        f'<figure class="sd-preview"><div><img src="data:image/jpeg;base64,{data}" '
        f'alt="Preview of {name}"></div><figcaption>{caption}</figcaption></figure>'
    )


def outlines(facts: Iterable[ImageFacts]) -> str:
    """Return the outlines of georeferenced images as GeoJSON; "" if there are none."""
    features = [
        _feature(f.name, {"type": "Polygon", "coordinates": [[*f.outline, f.outline[0]]]})
        for f in facts
        if f.outline is not None
    ]
    return _collection(features)


def area_outlines(named: Iterable[tuple[str, AreaRequest]]) -> str:
    """Return the areas of a file as GeoJSON for the map."""
    features = []
    for name, request in named:
        features.append(_feature(name, shapely.geometry.mapping(request.area.shape)))
    return _collection(features)


def _feature(name: str, geometry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {"name": name}}


def _collection(features: list[dict[str, Any]]) -> str:
    if not features:
        return ""
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))


def acquisition_list(acquisitions: Sequence["Acquisition"], chosen: str = "") -> str:
    """Return a list to select an acquisition: date, clouds, share of the area, thumbnail."""
    if not acquisitions:
        return hint(
            "No acquisition of this area matches the dates and the cloud cover: allow more clouds "
            "or widen the date range."
        )
    rows = "".join(_acquisition(a, a.id == chosen) for a in acquisitions)
    number = number_of(len(acquisitions), "acquisition")
    return (
        f'<fieldset class="sd-acquisitions"><legend>{number} of this area</legend>{rows}</fieldset>'
    )


def _acquisition(acquisition: "Acquisition", is_chosen: bool) -> str:
    cloud = "clouds unknown" if acquisition.cloud is None else f"{acquisition.cloud:.0f} % clouds"
    share = f"{acquisition.coverage:.0%}" if acquisition.coverage >= 0.01 else "less than 1%"
    few = ' class="sd-few"' if acquisition.coverage < 0.99 else ""
    thumbnail = (
        f'<img src="{html.escape(acquisition.thumbnail)}" alt="" loading="lazy" '
        'referrerpolicy="no-referrer">'
        if acquisition.thumbnail
        else "<i></i>"
    )
    return (
        f'<label><input type="radio" name="sd-acquisition" value="{html.escape(acquisition.id)}"'
        f"{' checked' if is_chosen else ''}>{thumbnail}"
        f"<b>{acquisition.acquired:%Y-%m-%d %H:%M} UTC</b><span>{cloud}</span>"
        f"<span{few}>covers {share}</span></label>"
    )


def contacts_line(contacts: "Contacts") -> str:
    """Return the number of ships that an AIS file has in the area, before the run."""
    inside = sum(contact.in_area for contact in contacts)
    lines = [
        f"{number_of(inside, 'ship')} in {contacts.file} {'was' if inside == 1 else 'were'} in the "
        "area at "
        f"{contacts.acquired:%Y-%m-%d %H:%M} UTC.",
        *contacts.notes,
    ]
    return hint(" ".join(lines))


def ais_card(record: dict[str, Any]) -> str:
    """Return a run's AIS matches, and the AIS ships that were not found; "" without AIS."""
    facts = record.get("ais")
    if not facts:
        return ""
    contacts = {contact["mmsi"]: contact for contact in facts["contacts"]}
    unseen = "".join(
        f'<tr><th scope="row">{html.escape(contacts[mmsi]["name"]) or "no name"}</th>'
        f"<td>{mmsi}</td><td>{contacts[mmsi]['lat']:.5f}, {contacts[mmsi]['lon']:.5f}</td></tr>"
        for mmsi in facts["unseen"]
    )
    without = len(facts["unseen"])
    inside = any(contact["in_area"] for contact in facts["contacts"])
    none = "Every ship of the AIS file in this area was found." if inside else NO_CONTACT
    listed = (
        f"<p>{number_of(without, 'ship')} of the AIS file not found in the image:</p>"
        f"<table><tbody>{unseen}</tbody></table>"
        if without
        else f"<p>{none}</p>"
    )
    moment = facts["acquired"].replace("T", " ").replace("Z", " UTC")
    return (
        f'<div class="sd-card sd-summary" role="status"><h3>AIS at {moment}</h3>'
        f"<p>{ships(facts['matched']).capitalize()} known, {facts['dark']} dark.</p>{listed}</div>"
    )


def summary_box(outcomes: Sequence[tuple[str, int | None, str]]) -> str:
    """Return the panel after several searches: name, ships or None, and error of each."""
    total = sum(count or 0 for _, count, _ in outcomes)
    failed = sum(count is None for _, count, _ in outcomes)
    missing = f", {failed} could not be searched" if failed else ""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        f"<td>{html.escape(error) if count is None else ships(count)}</td></tr>"
        for name, count, error in outcomes
    )
    return (
        '<div class="sd-card sd-success sd-summary" role="status">'
        f"<h3>{ships(total).capitalize()} found in {len(outcomes)} searches{missing}</h3>"
        f"<table><tbody>{rows}</tbody></table></div>"
    )


def refusals(errors: Sequence[tuple[str, ShipdetError]]) -> str:
    """Return why images cannot be searched, one sentence each."""
    if len(errors) == 1:
        return error_box(errors[0][1])
    rows = "".join(
        f"<li><b>{html.escape(name)}</b>: {html.escape(str(error))}</li>" for name, error in errors
    )
    return (
        '<div class="sd-card sd-error" role="alert"><h3>Some images cannot be searched</h3>'
        f"<ul>{rows}</ul></div>"
    )
