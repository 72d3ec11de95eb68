// The page's side of the bridge to the map (map.js). The map cannot call Python, so a rectangle is
// written into a hidden text box as if it were typed; everything else is posted to the map's frame.
(() => {
  "use strict";
  if (window.shipdet) return; // gradio may insert the page's head twice

  const latest = {}; // what a map that loads later, or again, must be told
  // Rectangles that the map told and the numbers have yet to repeat. What they repeat never goes
  // back to the map: by then the user may have drawn the next one.
  const drawn = new Set();
  let typing;
  const frame = () => document.querySelector("#map iframe")?.contentWindow;

  function tell(message) {
    latest[message.type] = message;
    frame()?.postMessage({ source: "shipdet", ...message }, window.origin);
  }

  function show(bbox) {
    drawn.clear();
    tell({ type: "box", bbox });
  }

  function type(id, text) {
    const field = document.querySelector(`#${id} textarea, #${id} input`);
    if (!field) return;
    const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
    set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  window.addEventListener("message", ({ source, origin, data }) => {
    if (source !== frame() || origin !== window.origin || data?.source !== "shipdet-map") return;
    if (data.type === "ready") Object.values(latest).forEach(tell);
    if (data.type === "box") {
      clearTimeout(typing);
      drawn.add(JSON.stringify(data.bbox));
      latest.box = { type: "box", bbox: data.bbox };
      type("map-box", JSON.stringify(data.bbox));
    }
  });

  window.shipdet = {
    // Hidden text box -> west, south, east, north.
    numbers: (text) => JSON.parse(text || "null") ?? [null, null, null, null],

    // West, south, east, north -> rectangle, once the user has stopped typing.
    box: (west, south, east, north) => {
      clearTimeout(typing);
      const edges = [west, south, east, north];
      const bbox = edges.every((value) => value === null) ? null : edges;
      const text = JSON.stringify(bbox);
      const shown = JSON.stringify(latest.box?.bbox);
      if (text === shown) drawn.clear(); // what was drawn before it will not be repeated any more
      if (text === shown || drawn.has(text)) return;
      const filled = edges.every((value) => Number.isFinite(value));
      const sound = filled && west < east && south < north && south > -85.06 && north < 85.06;
      if (sound) typing = setTimeout(show, 300, bbox);
      else if (!bbox) show(null);
    },
    ships: (text) => tell({ type: "ships", geojson: text ? JSON.parse(text) : null }),
    layer: (id) => tell({ type: "layer", id }),
  };
})();
