// Runs inside the map's own document (an iframe made from a blob). It keeps one rectangle, the
// area of interest, tells the page when the user changes it, and draws what the page sends.
// Messages are {source, type, ...}; the page's side of the bridge is bridge.js.
"use strict";

const shipdetMap = {
  SHIP_COLORS: [[0.8, "#40dc78"], [0.5, "#ffc400"], [0, "#ff7043"]],

  start({ map, area, areaStyle, ships, layers }) {
    const page = window.parent;
    const send = (type, content = {}) =>
      page.postMessage({ source: "shipdet-map", type, ...content }, window.origin);

    L.control.scale({ imperial: false }).addTo(map);
    map.createPane("ships").style.zIndex = 450; // above the rectangle, so that tooltips work

    const toBox = (bounds) =>
      [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()]
        .map((value) => Number(value.toFixed(6)));
    const toBounds = ([west, south, east, north]) => L.latLngBounds([south, west], [north, east]);
    const current = () => {
      const rectangle = area.getLayers()[0];
      return rectangle ? toBox(rectangle.getBounds()) : null;
    };
    const report = () => send("box", { bbox: current() });

    map.on(L.Draw.Event.CREATED, (event) => {
      area.clearLayers(); // the last drawing wins
      area.addLayer(event.layer);
      report();
    });
    map.on(L.Draw.Event.EDITED, report);
    map.on(L.Draw.Event.DELETED, report);

    function showBox(bbox) {
      const shown = current();
      const same = shown && bbox && shown.every((value, i) => Math.abs(value - bbox[i]) < 1e-6);
      if (!same) {
        area.clearLayers();
        if (bbox) L.rectangle(toBounds(bbox), areaStyle).addTo(area);
      }
      if (bbox && !map.getBounds().contains(toBounds(bbox))) {
        map.fitBounds(toBounds(bbox), { padding: [24, 24], animate: false });
      }
    }

    function showShips(collection) {
      ships.clearLayers();
      for (const feature of collection?.features ?? []) {
        const ship = feature.properties;
        const color = shipdetMap.SHIP_COLORS.find(([least]) => ship.score >= least)[1];
        const size = `${Math.round(ship.length_m)} × ${Math.round(ship.width_m)} m`;
        const text = `Ship ${ship.id} · ${Math.round(ship.score * 100)} % · ${size}`;
        const outline = L.geoJSON(feature, {
          pane: "ships",
          style: { color, weight: 2, fillColor: color, fillOpacity: 0.2 },
        });
        const spot = L.circleMarker([ship.lat, ship.lon], {
          pane: "ships", radius: 4, color: "#10202f", weight: 1.5, fillColor: color, fillOpacity: 1,
        });
        for (const layer of [outline, spot]) layer.bindTooltip(text).addTo(ships);
      }
    }

    function showLayer(id) {
      const wanted = layers[id];
      if (!wanted || map.hasLayer(wanted)) return;
      for (const layer of Object.values(layers)) map.removeLayer(layer);
      wanted.addTo(map);
    }

    window.addEventListener("message", ({ source, origin, data }) => {
      if (source !== page || origin !== window.origin || data?.source !== "shipdet") return;
      if (data.type === "box") showBox(data.bbox);
      if (data.type === "ships") showShips(data.geojson);
      if (data.type === "layer") showLayer(data.id);
    });
    // The frame is hidden or resized with the page; Leaflet must measure it again, and what was
    // fitted into a map without a size must be fitted once it has one.
    let sized = map.getSize().x > 0;
    new ResizeObserver(() => {
      map.invalidateSize();
      const box = current();
      if (!sized && map.getSize().x > 0 && box) {
        map.fitBounds(toBounds(box), { padding: [24, 24], animate: false });
      }
      sized = map.getSize().x > 0;
    }).observe(map.getContainer());
    send("ready");
  },
};
