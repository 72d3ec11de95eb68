// An image with deep zoom: tiles in panes, and a swipe or a second map to compare layers.
// Coordinates are pixels of the raw image; only this file uses latitudes and longitudes of Leaflet.
"use strict";

const EXTRA_ZOOMS = 4; // beyond one screen pixel per raw pixel

export class Picture {
  /**
   * @param size {width, height, top_zoom} of the raw image
   * @param layers {id: {title, tiles}} or {id: {title, image}}, with the addresses of the layers
   */
  constructor(elements, size, layers) {
    Object.assign(this, elements, { size, layers });
    this.shown = {};
    this.map = this.makeMap(this.right);
    this.map.createPane("under").style.zIndex = 210;
    this.map.createPane("over").style.zIndex = 220;
    this.map.createPane("water").style.zIndex = 230;
    this.map.createPane("ships").style.zIndex = 450;
    this.map.createPane("labels").style.zIndex = 640;
    this.map.on("move zoom resize", () => this.clip());
    this.map.on("movestart", () => (this.whole = Boolean(this.fitting)));
    this.slider = this.divider.querySelector("input");
    this.slider.addEventListener("input", () => this.clip());
    new ResizeObserver(() => this.resized()).observe(this.right);
    this.fit();
  }

  makeMap(element) {
    const map = L.map(element, {
      crs: L.CRS.Simple, minZoom: -2, maxZoom: this.size.top_zoom + EXTRA_ZOOMS, zoomSnap: 0.25,
      zoomDelta: 1, attributionControl: false, fadeAnimation: false, zoomAnimation: true,
      wheelPxPerZoomLevel: 90,
    });
    map.setView([0, 0], 0);
    return map;
  }

  /** After a resize, fit the image again unless the user has moved it. */
  resized() {
    const { whole } = this;
    this.map.invalidateSize({ animate: false, pan: !whole });
    this.second?.invalidateSize({ animate: false });
    if (whole) this.fit();
    this.clip();
  }

  place(x, y) {
    return this.map.unproject([x, y], this.size.top_zoom);
  }

  pixel(place) {
    const { x, y } = this.map.project(place, this.size.top_zoom);
    return [x, y];
  }

  get bounds() {
    return L.latLngBounds(this.place(0, 0), this.place(this.size.width, this.size.height));
  }

  /** Screen pixels per raw pixel. */
  get scale() {
    return 2 ** (this.map.getZoom() - this.size.top_zoom);
  }

  fit() {
    this.fitting = true;
    this.map.fitBounds(this.bounds, { animate: false });
    this.fitting = false;
    this.whole = true;
  }

  flyTo(x, y, across) {
    const room = Math.min(this.map.getSize().x, this.map.getSize().y);
    const zoom = this.size.top_zoom + Math.log2(Math.max(room, 100) / Math.max(across * 4, 40));
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const target = Math.min(zoom, this.size.top_zoom + 2);
    if (calm) this.map.setView(this.place(x, y), target, { animate: false });
    else this.map.flyTo(this.place(x, y), target, { duration: 0.5 });
  }

  layer(id, pane) {
    const { tiles, image } = this.layers[id];
    if (image) return L.imageOverlay(image, this.bounds, { pane, alt: "", opacity: 0.6 });
    const extra = id === "upscaled" ? EXTRA_ZOOMS : 0;
    return L.tileLayer(tiles, {
      pane, bounds: this.bounds, noWrap: true, minZoom: -2, minNativeZoom: 0,
      maxZoom: this.size.top_zoom + EXTRA_ZOOMS, maxNativeZoom: this.size.top_zoom + extra,
    });
  }

  /** Show one or two layers: {mode, left, right, water}. */
  show({ mode, left, right, water }) {
    this.mode = mode;
    this.set("over", right, this.map, "over");
    this.set("under", mode === "swipe" ? left : null, this.map, "under");
    this.set("water", water ? "map" : null, this.map, "water");
    this.divider.hidden = mode !== "swipe";
    this.left.hidden = mode !== "side";
    this.panes.classList.toggle("two", mode === "side");
    if (mode === "side" && !this.second) this.makeSecond();
    if (this.second) this.set("second", mode === "side" ? left : null, this.second, "tilePane");
    this.resized();
    if (mode === "side") this.second.setView(this.map.getCenter(), this.map.getZoom(), { animate: false });
  }

  set(slot, id, map, pane) {
    const old = this.shown[slot];
    if (old?.id === id) return;
    if (old?.layer) map.removeLayer(old.layer);
    this.shown[slot] = { id, layer: id ? this.layer(id, pane).addTo(map) : null };
  }

  makeSecond() {
    this.second = this.makeMap(this.left);
    const follow = (one, other) =>
      one.on("move", () => {
        if (this.following || this.mode !== "side") return;
        this.following = true;
        other.setView(one.getCenter(), one.getZoom(), { animate: false });
        this.following = false;
      });
    follow(this.map, this.second);
    follow(this.second, this.map);
  }

  /** Clip the panes above the left image at the divider. */
  clip() {
    const cutShips = this.cutShips ?? true; // the comparison shows ships over both images
    const names = ["over", "water", ...(cutShips ? ["ships", "labels"] : [])];
    const panes = names.map((name) => this.map.getPane(name));
    if (this.mode !== "swipe") {
      for (const pane of panes) pane.style.clip = "";
      return;
    }
    const size = this.map.getSize();
    const start = this.map.containerPointToLayerPoint([0, 0]);
    const end = this.map.containerPointToLayerPoint(size);
    const share = this.slider.value / 1000;
    const cut = start.x + size.x * share;
    for (const pane of panes) pane.style.clip = `rect(${start.y}px, ${end.x}px, ${end.y}px, ${cut}px)`;
    this.divider.style.setProperty("--at", `${share * 100}%`);
  }
}
