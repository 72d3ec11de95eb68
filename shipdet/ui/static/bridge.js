// The page's side of the bridge to the map (map.js). The map cannot call Python, so a rectangle is
// written into a hidden text box as if it were typed; everything else is posted to the map's frame.
(() => {
  "use strict";
  if (window.shipdet) return; // gradio may insert the page's head twice

  const latest = {}; // what a map that loads later, or again, must be told
  const frame = () => document.querySelector("#map iframe")?.contentWindow;

  function tell(message) {
    latest[message.type] = message;
    frame()?.postMessage({ source: "shipdet", ...message }, window.origin);
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
      latest.box = { type: "box", bbox: data.bbox };
      type("map-box", JSON.stringify(data.bbox));
    }
  });

  let typing;
  window.shipdet = {
    // Hidden text box -> west, south, east, north.
    numbers: (text) => JSON.parse(text || "null") ?? [null, null, null, null],

    // West, south, east, north -> rectangle, once the user has stopped typing.
    box: (west, south, east, north, fit = false) => {
      clearTimeout(typing);
      const bbox = [west, south, east, north];
      const filled = bbox.every((value) => Number.isFinite(value));
      const sound = filled && west < east && south < north && south > -85.06 && north < 85.06;
      if (sound) typing = setTimeout(() => tell({ type: "box", bbox, fit }), 300);
      else if (bbox.every((value) => value === null)) tell({ type: "box", bbox: null });
    },
    ships: (text) => tell({ type: "ships", geojson: text ? JSON.parse(text) : null }),
    layer: (id) => tell({ type: "layer", id }),
  };
})();
