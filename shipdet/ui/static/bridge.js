// The page's side of the bridges to the map (map.js) and to the viewer of a run. Neither can call
// Python, so what Python must know is written into a hidden text box as if it were typed; everything
// else is posted from frame to frame.
(() => {
  "use strict";
  if (window.shipdet) return; // gradio may insert the page's head twice

  const latest = {}; // what a map that loads later, or again, must learn
  // Boxes that the map sent and the numbers have yet to repeat. What they repeat never goes back to
  // the map: by then the user may have drawn the next one.
  const drawn = new Set();
  let typing;
  const frame = () => document.querySelector("#map iframe")?.contentWindow;
  const viewer = () => document.querySelector("#viewer iframe")?.contentWindow;
  const tellViewer = (message) =>
    viewer()?.postMessage({ source: "shipdet", ...message }, window.origin);

  // Where the user was last: view, area and imagery. Some browsers keep nothing.
  const KEPT = "shipdet";
  function kept() {
    try {
      return JSON.parse(localStorage.getItem(KEPT)) ?? {};
    } catch {
      return {};
    }
  }
  function keep(part) {
    try {
      localStorage.setItem(KEPT, JSON.stringify({ ...kept(), ...part }));
    } catch { /* private windows */ }
  }

  // Ships of an image without a place, over the image in small, while its search goes on.
  function drawOver(outlines, [width, height] = [1, 1]) {
    const name = (kind) => document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const figure of document.querySelectorAll("#own-picture .sd-preview")) {
      figure.querySelector("svg")?.remove();
      if (!outlines.length) continue;
      const over = name("svg");
      over.setAttribute("viewBox", `0 0 ${width} ${height}`);
      over.setAttribute("preserveAspectRatio", "none");
      over.setAttribute("aria-hidden", "true"); // the panel tells how many
      over.append(...outlines.map((corners) => {
        const outline = name("polygon");
        outline.setAttribute("points", corners.join(" "));
        return outline;
      }));
      figure.querySelector("img").after(over);
    }
  }

  function post(message) {
    frame()?.postMessage({ source: "shipdet", ...message }, window.origin);
  }
  function tell(message) {
    latest[message.type] = message;
    post(message);
  }

  function show(bbox, polygon = null) {
    drawn.clear();
    keep({ bbox, polygon });
    tell({ type: "area", bbox, polygon });
  }

  function type(id, text) {
    const field = document.querySelector(`#${id} textarea, #${id} input`);
    if (!field || field.value === text) return;
    const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
    set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const written = (polygon) =>
    polygon ? JSON.stringify({ type: "Polygon", coordinates: polygon }) : "";

  window.addEventListener("message", ({ source, origin, data }) => {
    if (source !== frame() || origin !== window.origin || data?.source !== "shipdet-map") return;
    if (data.type === "ready") {
      Object.values(latest).forEach(post);
      const { view } = kept();
      if (view) post({ type: "view", view });
    }
    if (data.type === "view") keep({ view: data.view });
    if (data.type === "area") {
      clearTimeout(typing);
      const { bbox, polygon } = data;
      drawn.add(JSON.stringify(bbox));
      latest.area = { type: "area", bbox, polygon };
      keep({ bbox, polygon });
      type("map-polygon", written(polygon));
      type("map-box", JSON.stringify(bbox));
    }
    if (data.type === "select") tellViewer({ type: "select", ship: data.ship });
    if (data.type === "files") openFiles(data.files);
  });

  window.addEventListener("message", ({ source, origin, data }) => {
    if (source !== viewer() || origin !== window.origin || data?.source !== "shipdet-viewer") return;
    if (data.type === "ships") {
      tell({ type: "ships", geojson: data.geojson });
      drawOver([]);
    }
    if (data.type === "select") tell({ type: "select", ship: data.ship });
    if (data.type === "height") {
      const around = document.querySelector("#viewer iframe");
      around.style.height = `${data.height + around.offsetHeight - around.clientHeight}px`;
    }
    if (data.type === "changed") type("changed-run", `${data.run} ${Date.now()}`);
  });

  // Files that are dropped anywhere on the page are opened as with the button.
  const carriesFiles = (event) => !event.defaultPrevented && event.dataTransfer?.types.includes("Files");
  function openFiles(files) {
    const field = document.querySelector(":has(> #open-images) > input[type=file]");
    if (!field || !files.length) return;
    const carried = new DataTransfer();
    for (const file of files) carried.items.add(file);
    field.files = carried.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    openFiles([...event.dataTransfer.files]);
  });

  // Choices that are made in a list of the page's own.
  document.addEventListener("change", ({ target }) => {
    if (target.name === "sd-acquisition") type("acquisition", target.value);
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
      const shown = JSON.stringify(latest.area?.bbox);
      if (text === shown) drawn.clear(); // what was drawn before it will not be repeated any more
      if (text === shown || drawn.has(text)) return;
      type("map-polygon", ""); // numbers are those of a rectangle
      const filled = edges.every((value) => Number.isFinite(value));
      const right = filled && west - east > 180 ? east + 360 : east; // across the antimeridian
      const sound = filled && west < right && south < north && south > -85.06 && north < 85.06;
      if (sound) typing = setTimeout(show, 300, [west, south, right, north]);
      else if (!bbox) show(null);
    },
    ships: (text) => {
      const geojson = text ? JSON.parse(text) : null;
      tell({ type: "ships", geojson });
      drawOver(geojson?.outlines ?? [], geojson?.size);
    },
    others: (text) => tell({ type: "others", geojson: text ? JSON.parse(text) : null }),
    layer: (text) => { if (text) tell({ type: "layer", ...JSON.parse(text) }); },
    fly: (...bbox) => show(bbox),
    go: (text) => { if (text) post({ type: "place", ...JSON.parse(text) }); },

    // What the page opens with: where the user was last, the first time what it has already.
    last: (providers, ...opened) => {
      const { bbox, polygon, provider } = kept();
      const before = opened.slice(0, 4);
      // What the map has already is not news to it: the view stays where it is.
      latest.area = { type: "area", bbox: bbox ?? before, polygon: bbox ? polygon : null };
      if (bbox) post(latest.area);
      const imagery = providers.includes(provider) ? provider : opened[4];
      return [...(bbox ?? before), imagery, written(polygon)];
    },
    keepProvider: (provider) => keep({ provider }),
    // Another run is shown, or none: its viewer will tell its ships.
    shown: (id) => id || tell({ type: "ships", geojson: null }),
    reload: () => tellViewer({ type: "reload" }),
  };
})();
