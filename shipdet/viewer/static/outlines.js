// Ships as thin outlines over an image, with labels on hover or if a ship is large on the screen.
"use strict";

import { make } from "./api.js";

const LABEL_PX = 90; // shortest ship on the screen with a permanent label
const MOST_LABELS = 60;
const MANY = 1500; // above this number, outlines are drawn on a canvas

/** A label as a node: Leaflet treats strings as HTML, and ship names are untrusted text. */
const asText = (label) => make("span", {}, label);

export class Outlines {
  /**
   * @param look (ship) => {color, dashArray, label}
   * @param chosen called with the key of a clicked ship
   */
  constructor(picture, look, chosen) {
    Object.assign(this, { picture, look, chosen });
    const { map } = picture;
    this.group = L.layerGroup().addTo(map);
    this.labels = L.layerGroup().addTo(map);
    this.drawn = new Map();
    this.visible = true;
    map.on("moveend zoomend", () => this.label());
  }

  show(ships) {
    this.ships = ships;
    this.group.clearLayers();
    this.drawn.clear();
    const { map } = this.picture;
    const kind = ships.length > MANY ? "canvas" : "svg";
    this.renderers ??= {};
    this.renderers[kind] ??= L[kind]({ pane: "ships", padding: 0.5 });
    for (const ship of ships) {
      const style = this.style(ship);
      const corners = ship.corners.map(([x, y]) => this.picture.place(x, y));
      const outline = L.polygon(corners, {
        renderer: this.renderers[kind], pane: "ships", ...style, fillColor: style.color,
      });
      outline.bindTooltip(asText(style.label), { sticky: true, className: "label" });
      outline.on("click", (event) => {
        L.DomEvent.stopPropagation(event);
        this.chosen(ship.key);
      });
      this.group.addLayer(outline);
      this.drawn.set(ship.key, outline);
    }
    if (!this.visible) map.removeLayer(this.group);
    this.mark(this.marked);
    this.label();
  }

  toggle(visible) {
    this.visible = visible;
    for (const group of [this.group, this.labels]) {
      if (visible) group.addTo(this.picture.map);
      else this.picture.map.removeLayer(group);
    }
    this.label();
  }

  mark(key) {
    const before = this.marked;
    this.marked = key;
    for (const ship of this.ships ?? []) {
      if (ship.key !== before && ship.key !== key) continue;
      const outline = this.drawn.get(ship.key);
      outline?.setStyle(this.style(ship));
      if (ship.key === key) outline?.bringToFront();
    }
  }

  /** The style of a ship's outline; thicker if the ship is selected. */
  style(ship) {
    const line = ship.key === this.marked ? { weight: 4, fillOpacity: 0.25 } : { weight: 1.5, fillOpacity: 0.01 };
    return { ...line, ...this.look(ship) };
  }

  /** Redraw a ship after a change of its style. */
  restyle(ship) {
    this.drawn.get(ship.key)?.setStyle(this.style(ship));
    this.label();
  }

  label() {
    this.labels.clearLayers();
    if (!this.visible || !this.ships?.length) return;
    const { map, scale } = this.picture;
    const view = map.getBounds();
    let count = 0;
    for (const ship of this.ships) {
      const [[ax, ay], [bx, by], [cx, cy]] = ship.corners;
      const long = Math.max(Math.hypot(bx - ax, by - ay), Math.hypot(cx - bx, cy - by)) * scale;
      if (long < LABEL_PX || !view.contains(this.picture.place(ship.x, ship.y))) continue;
      if (++count > MOST_LABELS) break;
      const right = ship.corners.reduce((most, corner) => (corner[0] > most[0] ? corner : most));
      L.tooltip({ permanent: true, direction: "right", className: "label", pane: "labels" })
        .setLatLng(this.picture.place(...right)).setContent(asText(this.look(ship).label))
        .addTo(this.labels);
    }
  }
}
