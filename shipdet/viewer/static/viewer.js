// The viewer of a run: image, table, filter, review and downloads, linked with each other and with
// the map of the app's page.
"use strict";

import {
  byId, fetchJson, followTheme, growInApp, here, make, postToApp, rememberRun, shipCount,
  showMessage, utcTime,
} from "./api.js";
import { Filters } from "./filters.js";
import { Outlines } from "./outlines.js";
import { pick } from "./picking.js";
import { Picture } from "./picture.js";
import { Reviewer } from "./review.js";
import { columnsOf, Table } from "./table.js";

const TITLES = { raw: "Image", upscaled: "Super-resolution" };
const COLORS = [[0.8, "#40dc78", "score 0.8 or more"], [0.5, "#ffc400", "0.5 to 0.8"], [0, "#ff7043", "below 0.5"]];
const OTHER = "#d5dce3";
const WATER = [["#2c6ebe", "water"], ["#967e5c", "land"], ["#ffce40", "hull"]];
const REVIEWED = { accept: "accepted", reject: "rejected" };
const WHY = { rejected: "rejected", weak: "below the threshold", short: "too short" };
const FORMATS = {
  geojson: "GeoJSON", gpkg: "GeoPackage", kml: "KML", parquet: "GeoParquet", csv: "CSV", coco: "COCO",
  yolo: "YOLO-OBB", labels: "Training labels", report: "Report (HTML)", zip: "Results (ZIP)",
};
const PLACED = ["geojson", "kml", "parquet"];
const FILES = { raw: "Image", upscaled: "Super-resolution", mosaic: "GeoTIFF", map: "Map of water and hulls", ais: "AIS positions", record: "run.json" };

let run, picture, outlines, table, filters, reviewer, polygon, chosen = null, picking = false, loads = 0;

const say = (text) => (byId("hint").textContent = text);
const everyone = () => [...run.ships, ...(byId("view").elements.others.checked ? run.others : [])];
const shipOf = (key) => everyone().find((ship) => ship.key === key);
const sized = (ship) => `${Math.round(ship.length_m)} m`;

function look(ship) {
  if (ship.why) return { color: OTHER, dashArray: "4 3", label: `${WHY[ship.why]} · ${ship.score.toFixed(2)} · ${sized(ship)}` };
  const rejected = ship.review === REVIEWED.reject; // until the server confirms it
  const color = rejected ? OTHER : COLORS.find(([least]) => ship.score >= least)[1];
  const review = ship.review ? ` · ${ship.review}` : "";
  return { color, dashArray: rejected ? "4 3" : ship.cut ? "8 4" : null, label: `${ship.id} · ${ship.score.toFixed(2)} · ${sized(ship)}${ship.name ? ` · ${ship.name}` : ""}${review}` };
}

const cropOf = (ship) => `${here}/crops/${ship.id}.png?v=${run.version}`;

/** Load the run with the current filter; false if that failed or a newer state has come since. */
async function load() {
  loads += 1;
  const number = loads;
  try {
    const query = filters.query;
    const found = await fetchJson(`${here}/data.json${query && `?${query}`}`);
    if (number !== loads) return false;
    run = found;
    showMessage(null);
    document.querySelector("main").hidden = false;
    return true;
  } catch (error) {
    if (number !== loads) return false;
    showMessage(error.message);
    document.querySelector("main").hidden = !picture;
    return false;
  }
}

function begin() {
  rememberRun(run.id);
  document.title = `${run.id} · shipdet`;
  const layers = Object.fromEntries(run.layers.map((id) => [id, { title: TITLES[id], tiles: `${here}/tiles/${id}/{z}/{x}/{y}` }]));
  if (run.map) layers.map = { title: "Map of water and hulls", image: `${here}/map.png` };
  const elements = { panes: byId("panes"), left: byId("left"), right: byId("right"), divider: byId("divider") };
  picture = new Picture(elements, run, layers);
  outlines = new Outlines(picture, look, (key) => picking || choose(key, "picture"));
  const options = () => Object.entries(layers).filter(([, layer]) => layer.tiles).map(([id, layer]) => make("option", { value: id }, layer.title));
  const { left, right } = byId("view").elements;
  left.append(...options());
  right.append(...options());
  right.value = run.layers.at(-1);
  show(byId("view"), "map", run.map);
  show(byId("filters"), "ais", run.ais);
  table = new Table(byId("head"), byId("rows"), {
    chosen: (key) => choose(key, "table"), crop: cropOf, rejected: (ship) => picking || decide(ship, "reject"),
  });
  drawView();
  listen();
}

/** Connect the controls, which need the loaded run. */
function listen() {
  byId("view").addEventListener("change", () => {
    drawView();
    outlines.show(everyone());
  });
  byId("fit").addEventListener("click", () => picture.fit());
  byId("draw").addEventListener("click", drawFilter);
  for (const button of document.querySelectorAll("[data-act]")) {
    button.addEventListener("click", () => act(button.dataset.act));
  }
  window.addEventListener("keydown", typed);
}

const show = (where, name, visible) =>
  where.querySelectorAll(`[data-for=${name}]`).forEach((part) => (part.hidden = !visible));

function drawView() {
  const { mode, left, right, outlines: drawn, water } = byId("view").elements;
  const two = mode.value !== "single";
  show(byId("view"), "two", two);
  show(byId("view"), "one", !two);
  picture.show({ mode: mode.value, left: left.value, right: right.value, water: run.map && water.checked });
  outlines.toggle(drawn.checked);
  drawLegend(water.checked);
}

function drawLegend(water) {
  const item = (color, text, kind = "line") => make("li", {}, make("i", { style: `--color:${color}`, class: kind }), text);
  byId("legend").replaceChildren(
    ...COLORS.map(([, color, text]) => item(color, text)),
    item(COLORS[0][1], "cut by the edge", "dashed"),
    ...(byId("view").elements.others.checked ? [item(OTHER, "rejected, below the threshold or too short", "dashed")] : []),
    ...(run.map && water ? WATER.map(([color, text]) => item(color, text, "area")) : []),
  );
}

/** Draw the run that the server returned. */
function draw() {
  filters.remember();
  const filtered = Object.keys(run.filter).length > 0;
  byId("title").textContent = run.title;
  byId("count").textContent = !run.searched ? "imagery only" : filtered
    ? `${run.ships.length.toLocaleString("en")} of ${shipCount(run.total)}` : shipCount(run.total);
  byId("filter-state").textContent = filtered ? "(on)" : "";
  byId("facts").textContent = [run.id, run.acquired ? `acquired ${utcTime(run.acquired)}` : `created ${utcTime(run.created)}`,
    `${run.width.toLocaleString("en")} × ${run.height.toLocaleString("en")} px`, run.attribution, ...run.notes].filter(Boolean).join(" · ");
  table.show(run);
  outlines.show(everyone());
  drawPolygon();
  drawDownloads();
  document.querySelector("[data-act=undo]").disabled = !run.actions;
  byId("saved").textContent = run.actions ? `${run.actions} action${run.actions === 1 ? "" : "s"} saved with the run` : "";
  choose(shipOf(chosen) ? chosen : null, "load");
  postToApp("ships", { geojson: run.geojson });
}

function drawPolygon() {
  polygon?.remove();
  const places = filters.polygon.map(([x, y]) => picture.place(x, y));
  polygon = places.length ? L.polygon(places, { color: "#ffffff", weight: 2, dashArray: "6 4", fill: false, interactive: false }).addTo(picture.map) : null;
}

function drawDownloads() {
  const query = filters.query && `?${filters.query}`;
  const link = (kind, title, search) => make("li", {}, make("a", { href: `${here}/download/${kind}${search}`, download: true }, title));
  const formats = Object.entries(FORMATS).filter(([kind]) => run.searched && (run.georeferenced || !PLACED.includes(kind)));
  const files = Object.entries(FILES).filter(([kind]) => run.files.includes(kind));
  byId("downloads").replaceChildren(
    ...formats.map(([kind, title]) => link(kind, title, query)), ...files.map(([kind, title]) => link(kind, title, "")),
  );
  byId("unplaced").hidden = run.georeferenced || !run.searched;
}

/** Delay a download until the review is saved. */
async function downloadWhenSaved(event) {
  const link = event.target.closest("a");
  if (!link || !reviewer.busy) return;
  event.preventDefault();
  byId("saved").textContent = `Saving …, then downloading ${link.textContent}`;
  if (!(await reviewer.settled())) return;
  [...byId("downloads").querySelectorAll("a")].find((other) => other.textContent === link.textContent)?.click();
}

/** Select a ship in all parts of the page. */
function choose(key, from) {
  chosen = key;
  const ship = key == null ? null : shipOf(key);
  table.mark(key, from !== "table");
  outlines.mark(key);
  byId("ship").hidden = !ship;
  byId("ship-title").textContent = ship ? (ship.why ? `Not counted: ${WHY[ship.why]}` : `Ship ${ship.id}`) : "No ship selected";
  for (const button of document.querySelectorAll("[data-act]")) {
    if (!["add", "undo"].includes(button.dataset.act)) button.disabled = !ship;
  }
  if (!ship) return;
  byId("crop").hidden = Boolean(ship.why);
  if (!ship.why) byId("crop").src = cropOf(ship);
  byId("crop").alt = `Crop of ship ${ship.id}`;
  byId("values").replaceChildren(...columnsOf(run).filter(({ name }) => name !== "id").flatMap((column) => {
    const text = column.text(column.value(ship));
    return text ? [make("dt", {}, column.title), make("dd", {}, text)] : [];
  }));
  if (from !== "picture" && from !== "load") picture.flyTo(ship.x, ship.y, ship.length_m / Math.min(...run.gsd_m));
  if (from !== "map" && from !== "load") postToApp("select", { ship: ship.id });
}

async function picked(wanted) {
  if (picking) return null;
  picking = true;
  const places = await pick(picture, wanted, say);
  picking = false;
  return places;
}

const bowAndStern = (what) => ({
  least: 2, most: 2,
  hint: (count) => `${what}: mark the ${count ? "stern" : "bow"} (click, or arrow keys and Space; Esc cancels)`,
});

/** Accept or reject a ship; its display changes before the server answers. */
function decide(ship, kind) {
  reviewer.act({ kind, key: ship.key });
  ship.review = REVIEWED[kind];
  table.restyle(ship);
  outlines.restyle(ship);
}

async function act(kind) {
  if (picking) return;
  const ship = shipOf(chosen);
  if (kind === "undo") {
    if (run.actions) reviewer.act({ kind });
  } else if (kind === "add") {
    const points = await picked(bowAndStern("New ship"));
    if (points) reviewer.act({ kind, points });
  } else if (!ship) return;
  else if (kind === "accept" || kind === "reject") {
    const next = table.beside(1)?.key;
    decide(ship, kind);
    if (next !== ship.key && !ship.why) choose(next, "review");
  } else {
    const hint = () => `Ship ${ship.id}: mark the new center (click, or arrow keys and Space; Esc cancels)`;
    const points = await picked(kind === "move" ? { least: 1, most: 1, hint } : bowAndStern(`Ship ${ship.id}`));
    if (points) reviewer.act({ kind, key: ship.key, points });
  }
}

async function drawFilter() {
  const hint = (count) => `Polygon, ${count} corner${count === 1 ? "" : "s"}: mark the next one (click, or arrow keys and Space; Enter closes it, Esc cancels)`;
  const points = await picked({ least: 3, most: Infinity, hint, closed: true });
  if (points) filters.polygon = points;
}

const step = (by) => {
  const ship = table.beside(by);
  if (ship) choose(ship.key, "keys");
};
const KEYS = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  a: () => act("accept"), r: () => act("reject"), m: () => act("move"), d: () => act("redraw"),
  n: () => act("add"), u: () => act("undo"), f: () => picture.fit(), p: drawFilter,
  "?": () => byId("help").showModal(),
};

function typed(event) {
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, dialog, .map");
  const arrows = event.key.startsWith("Arrow");
  if (event.ctrlKey || event.metaKey || event.altKey || (typing && (arrows || !event.target.closest(".map")))) return;
  if (arrows && event.target.hasAttribute?.("tabindex")) return; // arrow keys scroll a focused table
  const key = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!key) return;
  event.preventDefault();
  key();
}

async function reload() {
  if (await load()) {
    if (!picture) begin();
    draw();
  }
}

function start() {
  followTheme();
  growInApp();
  filters = new Filters(byId("filters"), reload);
  reviewer = new Reviewer(byId("by"), {
    query: () => filters.query,
    saving: () => (byId("saved").textContent = "Saving …"),
    failed: async (text) => {
      await reload(); // shows the ships without the failed actions
      showMessage(text);
      byId("saved").textContent = "Not saved";
    },
    changed: (after) => {
      loads += 1; // an answer to an earlier load is out of date
      run = after;
      showMessage(null);
      draw();
      postToApp("changed", { run: run.id });
    },
  });
  byId("downloads").addEventListener("click", downloadWhenSaved);
  byId("view").addEventListener("submit", (event) => event.preventDefault());
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("alone").href = here;
  byId("alone").hidden = window.parent === window;
  window.addEventListener("message", ({ source, origin, data }) => {
    if (source !== window.parent || origin !== location.origin || data?.source !== "shipdet") return;
    if (data.type === "reload") reload();
    if (data.type === "select" && run) choose(run.ships.find((ship) => ship.id === data.ship)?.key ?? null, "map");
  });
  reload();
}

start();
