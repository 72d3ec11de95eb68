// Compares two runs of one place: earlier image left, later image right, and changes of ships.
"use strict";

import { byId, fetchJson, followTheme, here, make, shipCount, showMessage, utcTime } from "./api.js";
import { Outlines } from "./outlines.js";
import { Picture } from "./picture.js";
import { Table } from "./table.js";

const COLORS = { stayed: "#8fd3ff", arrived: "#40dc78", left: "#ff7043" };
const FORMATS = { geojson: "GeoJSON", gpkg: "GeoPackage", csv: "CSV" };
const base = here.replace(/\/compare\/[^/]+\/[^/]+$/, "");

let changes, picture, outlines, table;

const look = (ship) => ({
  color: COLORS[ship.change], dashArray: ship.change === "left" ? "6 4" : null,
  label: `${ship.change} · ${Math.round(ship.length_m)} m · ${ship.score.toFixed(2)}`,
});

const runOf = (ship) => changes.runs[ship.change === "left" ? 0 : 1];
const cropOf = (ship) =>
  `${base}/runs/${encodeURIComponent(runOf(ship).id)}/crops/${ship.id}.png?v=${runOf(ship).version}`;
const visible = () => changes.ships.filter((ship) => byId("view").elements[ship.change].checked);

function choose(key) {
  const ship = changes.ships.find((other) => other.key === key);
  table.mark(key);
  outlines.mark(key);
  if (ship) picture.flyTo(ship.x, ship.y, ship.length_m / Math.min(...changes.gsd_m));
}

function draw() {
  const ships = visible();
  outlines.show(ships);
  table.show({ ...changes, ships, ais: false, acquired: null });
}

function begin() {
  const [earlier, later] = changes.runs;
  changes.ships.forEach((ship, index) => (ship.key = index)); // ids may repeat between the runs
  const layers = {
    earlier: { title: "Earlier", tiles: `${base}/runs/${encodeURIComponent(earlier.id)}/tiles/raw/{z}/{x}/{y}` },
    later: { title: "Later", tiles: `${here}/tiles/raw/{z}/{x}/{y}` },
  };
  const elements = { panes: byId("panes"), left: byId("left"), right: byId("right"), divider: byId("divider") };
  picture = new Picture(elements, changes, layers);
  picture.cutShips = false;
  outlines = new Outlines(picture, look, choose);
  table = new Table(byId("head"), byId("rows"), { chosen: choose, crop: cropOf });
  table.own = [{ name: "change", title: "Change", number: false, value: (ship) => ship.change, text: (text) => text }];
  const view = () => picture.show({ mode: byId("view").elements.mode.value, left: "earlier", right: "later" });
  byId("view").addEventListener("change", () => {
    view();
    draw();
  });
  byId("view").addEventListener("submit", (event) => event.preventDefault());
  byId("fit").addEventListener("click", () => picture.fit());
  view();
  draw();
  const { stayed, arrived, left } = changes.counts;
  byId("count").textContent = `${stayed} stayed, ${arrived} arrived, ${left} left`;
  byId("facts").textContent = [`Left: ${earlier.title}, ${utcTime(earlier.when)}`, `right: ${later.title}, ${utcTime(later.when)}`,
    changes.outside ? `outside the other image: ${shipCount(changes.outside)}` : ""].filter(Boolean).join("; ");
  byId("legend").replaceChildren(...Object.entries(COLORS).map(([change, color]) =>
    make("li", {}, make("i", { style: `--color:${color}`, class: change === "left" ? "dashed" : "line" }), change)));
  byId("downloads").replaceChildren(...Object.entries(FORMATS)
    .filter(([kind]) => changes.georeferenced || kind === "csv")
    .map(([kind, title]) => make("li", {}, make("a", { href: `${here}/changes.${kind}`, download: true }, title))));
}

followTheme();
fetchJson(`${here}/data.json`).then((answer) => {
  changes = answer;
  begin();
}, (error) => {
  showMessage(error.message);
  document.querySelector("main").hidden = true;
});
