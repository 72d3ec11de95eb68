// Runs inside the map's own document (an iframe made from a blob). It holds one area of interest, a
// rectangle or a polygon, reports the user's changes to the page, and draws what the page sends.
// Messages are {source, type, ...}; the page's side of the bridge is bridge.js.
"use strict";

const shipdetMap = {
  SHIP_COLORS: [[0.8, "#40dc78"], [0.5, "#ffc400"], [0, "#ff7043"]],

  start({ map, area, areaStyle, ships, layers }) {
    const page = window.parent;
    const send = (type, content = {}) =>
      page.postMessage({ source: "shipdet-map", type, ...content }, window.origin);

    map.setMinZoom(0); // otherwise a layer's minimum applies, and larger areas do not fit
    L.control.scale({ imperial: false }).addTo(map);
    shipdetMeasure.addTo(map);
    const notice = shipdetMap.notice(map);
    map.createPane("ships").style.zIndex = 450; // above the rectangle, so that tooltips work
    const others = L.layerGroup().addTo(map); // areas of a file, outlines of images

    const rounded = (value) => Number(value.toFixed(6));
    const toBounds = ([west, south, east, north]) => L.latLngBounds([south, west], [north, east]);
    const toBox = (bounds) =>
      [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()].map(rounded);
    const isRectangle = (layer) => layer instanceof L.Rectangle;

    // The area in the page's format: its box, and its rings if it is a polygon.
    function current() {
      const layer = area.getLayers()[0];
      if (!layer) return { bbox: null, polygon: null };
      const bbox = toBox(layer.getBounds());
      if (isRectangle(layer)) return { bbox, polygon: null };
      const rings = layer.toGeoJSON().geometry.coordinates;
      return { bbox, polygon: rings.map((ring) => ring.map((point) => point.map(rounded))) };
    }
    // A map dragged around the Earth shows copies of the world; this moves the area to the first.
    function bringHome() {
      const { bbox, polygon } = current();
      const turns = bbox ? Math.floor((bbox[0] + 180) / 360) : 0;
      if (!turns) return;
      const home = ([lng, lat]) => [rounded(lng - 360 * turns), lat];
      const [west, south, east, north] = bbox;
      drawArea([...home([west, south]), ...home([east, north])], polygon?.map((r) => r.map(home)));
      fit(area.getLayers()[0].getBounds());
    }
    function drawArea(bbox, polygon) {
      area.clearLayers();
      if (polygon) {
        L.polygon(polygon.map((ring) => ring.map(([lng, lat]) => [lat, lng])), areaStyle)
          .addTo(area);
      } else if (bbox) {
        L.rectangle(toBounds(bbox), areaStyle).addTo(area);
      }
    }
    // A map without a size, as in a hidden frame, fits its bounds once it has one.
    let fitLater = map.getSize().x ? null : area.getBounds();
    function fit(bounds) {
      if (map.getSize().x) map.fitBounds(bounds, { padding: [24, 24], animate: false });
      else fitLater = bounds;
    }
    function report() {
      bringHome();
      send("area", current());
    }

    map.on(L.Draw.Event.CREATED, (event) => {
      area.clearLayers(); // the last drawing wins
      area.addLayer(event.layer);
      report();
    });
    map.on(L.Draw.Event.EDITED, report);
    map.on(L.Draw.Event.DELETED, report);
    map.on("moveend", () => {
      const { lat, lng } = map.getCenter();
      nowhere();
      if (map.getSize().x) send("view", { view: [rounded(lat), rounded(lng), map.getZoom()] });
    });

    for (const type of ["dragover", "drop"]) {
      document.addEventListener(type, (event) => {
        event.preventDefault(); // otherwise the browser opens the file in place of the map
        if (type === "drop") send("files", { files: [...event.dataTransfer.files] });
      });
    }

    function showArea(bbox, polygon) {
      const known = current().bbox;
      const same = known && bbox && known.every((value, i) => Math.abs(value - bbox[i]) < 1e-6);
      if (!same || polygon) drawArea(bbox, polygon);
      if (!bbox) return;
      const bounds = toBounds(bbox), view = map.getBounds();
      const tiny = bounds.getEast() - bounds.getWest() < 0.02 * (view.getEast() - view.getWest());
      if (tiny || !view.contains(bounds)) fit(bounds);
    }

    function showShips(collection) {
      ships.clearLayers();
      spots.clear();
      const early = collection?.early; // from a running search: without numbers, dashed
      for (const feature of collection?.features ?? []) {
        const ship = feature.properties;
        const color = shipdetMap.SHIP_COLORS.find(([least]) => ship.score >= least)[1];
        const size = `${Math.round(ship.length_m)} × ${Math.round(ship.width_m)} m`;
        const name = early ? "Provisional" : `Ship ${ship.id}`;
        const text = `${name} · ${Math.round(ship.score * 100)} % · ${size}`;
        const outline = L.geoJSON(feature, {
          pane: "ships",
          style: { color, weight: 2, fillColor: color, fillOpacity: 0.2, dashArray: early && "4 4" },
        });
        const spot = L.circleMarker([ship.lat, ship.lon], {
          pane: "ships", radius: 4, color: "#10202f", weight: 1.5, fillColor: color, fillOpacity: 1,
        });
        for (const layer of [outline, spot]) {
          layer.bindTooltip(text).addTo(ships);
          if (early) continue;
          layer.on("click", (event) => {
            L.DomEvent.stopPropagation(event);
            mark(ship.id);
            send("select", { ship: ship.id });
          });
        }
        if (!early) spots.set(ship.id, spot);
      }
      mark(marked);
    }

    const spots = new Map(); // ship's number -> its spot
    let marked;
    function mark(ship) {
      spots.get(marked)?.setStyle({ color: "#10202f", weight: 1.5 }).setRadius(4);
      spots.get(ship)?.setStyle({ color: "#ffffff", weight: 3 }).setRadius(8).bringToFront();
      marked = ship;
    }

    function showShip(ship) {
      mark(ship);
      const spot = spots.get(ship);
      if (spot && !map.getBounds().pad(-0.05).contains(spot.getLatLng())) map.panTo(spot.getLatLng());
    }

    // Named outlines in addition to the area of interest; the map moves to them.
    function showOthers(collection) {
      others.clearLayers();
      area.getLayers().forEach((layer) =>
        layer.setStyle({ opacity: collection ? 0.35 : 1, dashArray: collection ? "4 6" : null }));
      if (!collection) return nowhere();
      const drawn = L.geoJSON(collection, {
        style: { ...areaStyle, color: "#00c2d7", fillColor: "#00c2d7" },
        onEachFeature: (feature, layer) => {
          const label = document.createElement("span"); // names are untrusted text
          label.textContent = feature.properties.name;
          layer.bindTooltip(label);
        },
      }).addTo(others);
      if (drawn.getBounds().isValid()) fit(drawn.getBounds());
      nowhere();
    }

    // Tells the user when imagery of one place, such as the sample, does not cover the view.
    function nowhere() {
      const [layer] = Object.values(layers).filter((each) => map.hasLayer(each));
      const limits = layer?.options.bounds;
      if (!limits || !map.getSize().x) return;
      const here = others.getLayers().length || map.getBounds().intersects(L.latLngBounds(limits));
      notice(here ? "" : `${layer.options.shipdetTitle} does not cover this place: select other imagery.`);
    }
    for (const layer of Object.values(layers)) shipdetMap.watch(layer, map, notice);
    function showLayer({ id, url, title, wait }) {
      const wanted = layers[id];
      if (!wanted) return;
      if (wait) { // no tile can be requested yet
        for (const layer of Object.values(layers)) map.removeLayer(layer);
        notice(wait);
        return;
      }
      if (url && url !== wanted.shipdetUrl) {
        wanted.shipdetUrl = url;
        wanted.setUrl(url);
      }
      if (title) wanted.shipdetTitle = title;
      if (map.hasLayer(wanted)) return;
      for (const layer of Object.values(layers)) map.removeLayer(layer);
      notice("");
      wanted.addTo(map);
      nowhere();
    }
    const go = {
      area: (data) => showArea(data.bbox, data.polygon),
      ships: (data) => showShips(data.geojson),
      select: (data) => showShip(data.ship),
      layer: (data) => showLayer(data),
      others: (data) => showOthers(data.geojson),
      view: ({ view: [lat, lng, zoom] }) => map.setView([lat, lng], zoom, { animate: false }),
      place: ({ bbox }) => map.fitBounds(toBounds(bbox)),
    };
    window.addEventListener("message", ({ source, origin, data }) => {
      if (source !== page || origin !== window.origin || data?.source !== "shipdet") return;
      go[data.type]?.(data);
    });
    // Leaflet must measure the frame when the page shows or resizes it.
    new ResizeObserver(() => {
      map.invalidateSize();
      if (!fitLater || !map.getSize().x) return;
      const bounds = fitLater;
      fitLater = null;
      fit(bounds);
    }).observe(map.getContainer());
    send("ready");
  },

  // A line of text on the map.
  notice(map) {
    const control = L.control({ position: "bottomright" });
    control.onAdd = () => {
      const line = L.DomUtil.create("div", "sd-notice");
      line.setAttribute("role", "status");
      line.hidden = true;
      return line;
    };
    control.addTo(map);
    return (text) => {
      const line = control.getContainer();
      line.textContent = text;
      line.hidden = !text;
    };
  },

  // Shows a notice when no tile of a layer can be loaded.
  watch(layer, map, notice) {
    let failed = null, came = 0;
    layer.on("loading", () => {
      failed = null;
      came = 0;
    });
    layer.on("tileload", () => {
      came += 1;
      notice("");
    });
    layer.on("tileerror", ({ tile }) => { failed = tile; });
    layer.on("load", () => { // every tile of the view has come or failed
      if (came || !failed || !map.hasLayer(layer)) return;
      const title = layer.shipdetTitle ?? layer.options.shipdetTitle;
      const plain = `${title} cannot be shown: it has no image of this place at this zoom, or ` +
        "its server cannot be reached.";
      notice(plain);
      // This server's response states the reason; other servers get no second request.
      if (failed.src.startsWith(new URL("tiles/", document.baseURI).href)) {
        fetch(failed.src).then((answer) => answer.text()).then((text) => {
          if (!came && text && text.length < 400 && map.hasLayer(layer)) notice(text);
        }).catch(() => {});
      }
    });
  },
};
