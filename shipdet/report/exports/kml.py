"""Detections as KML 2.2 for Google Earth."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from shipdet.detections import Detection
from shipdet.report import vector
from shipdet.report.exports.tables import outlines
from shipdet.report.score_colors import SCORE_CLASSES, score_class

NAMESPACE = "http://www.opengis.net/kml/2.2"


def kml_bytes(ships: Sequence[Detection], title: str) -> bytes:
    """Return a KML document in UTF-8 with one placemark per ship.

    Args:
        ships: The detections, all with a longitude and latitude.
        title: The document's name.

    Raises:
        BadOption: The image has no georeference.
    """
    root = ET.Element("kml", xmlns=NAMESPACE)
    document = ET.SubElement(root, "Document")
    ET.SubElement(document, "name").text = title
    for _, name, _, (red, green, blue) in SCORE_CLASSES:
        style = ET.SubElement(document, "Style", id=name)
        line = ET.SubElement(style, "LineStyle")
        ET.SubElement(line, "color").text = f"ff{blue:02x}{green:02x}{red:02x}"
        ET.SubElement(line, "width").text = "2"
        ET.SubElement(ET.SubElement(style, "PolyStyle"), "fill").text = "0"
    for ship, parts in zip(ships, outlines(ships), strict=True):
        _placemark(document, ship, parts)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _placemark(document: ET.Element, ship: Detection, parts: list[list[list[float]]]) -> None:
    placemark = ET.SubElement(document, "Placemark", id=f"ship-{ship.id}")
    ET.SubElement(placemark, "name").text = f"{ship.id}: {ship.length_m:.0f} m"
    ET.SubElement(placemark, "styleUrl").text = f"#{score_class(ship.score).name}"
    data = ET.SubElement(placemark, "ExtendedData")
    for name, value in vector.properties(ship).items():
        if value is not None and name != "corners":
            entry = ET.SubElement(data, "Data", name=name)
            ET.SubElement(entry, "value").text = str(value)
    parent = placemark if len(parts) == 1 else ET.SubElement(placemark, "MultiGeometry")
    for ring in parts:
        polygon = ET.SubElement(parent, "Polygon")
        ET.SubElement(polygon, "tessellate").text = "1"
        boundary = ET.SubElement(ET.SubElement(polygon, "outerBoundaryIs"), "LinearRing")
        ET.SubElement(boundary, "coordinates").text = " ".join(f"{x},{y},0" for x, y in ring)
