// The page's side of the bridges to the map (map.js) and to the viewer of a run. Neither can call
// Python, so values for Python are written into a hidden text box as if typed; everything else is
// posted between the frames.
(() => {
  "use strict";
  if (window.shipdet) return; // gradio may insert the page's head twice

  const latest = {}; // messages for a map that loads later or reloads
  // Boxes from the map that the numbers have not echoed yet. Echoes never go back to the map: by
  // then the user may have drawn the next box.
  const drawn = new Set();
  let typing;
  const frame = () => document.querySelector("#map iframe")?.contentWindow;
  const viewer = () => document.querySelector("#viewer iframe")?.contentWindow;
  const tellViewer = (message) =>
    viewer()?.postMessage({ source: "shipdet", ...message }, window.origin);

  // The user's last view, area and imagery. Some browsers do not store them.
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

  // Draws ships over the preview of an image without a georeference, during its search.
  function drawOver(outlines, [width, height] = [1, 1]) {
    const name = (kind) => document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const figure of document.querySelectorAll("#own-picture .sd-preview")) {
      figure.querySelector("svg")?.remove();
      if (!outlines.length) continue;
      const over = name("svg");
      over.setAttribute("viewBox", `0 0 ${width} ${height}`);
      over.setAttribute("preserveAspectRatio", "none");
      over.setAttribute("aria-hidden", "true"); // the panel states the number
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

  // Files dropped anywhere on the page open as with the button.
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

  // Choices in the page's own list of acquisitions.
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
      if (text === shown) drawn.clear(); // earlier boxes will not be echoed any more
      if (text === shown || drawn.has(text)) return;
      type("map-polygon", ""); // numbers define a rectangle
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

    // The initial values: the user's last ones, or on the first visit the page's own.
    last: (providers, ...opened) => {
      const { bbox, polygon, provider } = kept();
      const before = opened.slice(0, 4);
      // The map already shows the page's own area, so it is not posted and the view stays.
      latest.area = { type: "area", bbox: bbox ?? before, polygon: bbox ? polygon : null };
      if (bbox) post(latest.area);
      const imagery = providers.includes(provider) ? provider : opened[4];
      return [...(bbox ?? before), imagery, written(polygon)];
    },
    keepProvider: (provider) => keep({ provider }),
    // Another run is shown, whose viewer sends its ships, or none.
    shown: (id) => id || tell({ type: "ships", geojson: null }),
    reload: () => tellViewer({ type: "reload" }),
  };
})();
