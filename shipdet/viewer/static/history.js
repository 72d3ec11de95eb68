// The list of runs: open, rename, delete, compare two. It refreshes every few seconds while it is
// visible, so that a run whose page is closed appears when it is finished.
"use strict";

import {
  byId, followTheme, forgetRun, here, make, rememberRun, seenRuns, send, shipCount, showMessage,
  utcTime,
} from "./api.js";

const REFRESH_S = 5;
const base = here.replace(/\/runs$/, "");
const pageOf = (id) => `${base}/runs/${encodeURIComponent(id)}`;
const chosen = new Set();
let runs = [], shown = "", every = false;

function placeOf(run) {
  if (!run.bbox) return "";
  const [west, south, east, north] = run.bbox;
  const lat = (south + north) / 2;
  const lon = ((west + east) / 2 + 540) % 360 - 180; // the east exceeds 180 across the antimeridian
  return `${Math.abs(lat).toFixed(3)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(3)}° ${lon < 0 ? "W" : "E"}`;
}

const countOf = (run) => (run.ships == null ? "imagery only" : shipCount(run.ships));

function card(run) {
  const picture = run.thumbnail ? make("img", { src: `${pageOf(run.id)}/thumbnail.jpg`, alt: "", loading: "lazy" }) : make("span", { class: "blank" });
  const box = make("input", { type: "checkbox", "aria-label": `Compare ${run.id}` });
  box.checked = chosen.has(run.id);
  box.addEventListener("change", () => {
    if (box.checked) chosen.add(run.id);
    else chosen.delete(run.id);
    byId("compare").disabled = chosen.size !== 2;
  });
  const button = (text, does) => {
    const element = make("button", { type: "button", "aria-label": `${text} ${run.id}` }, text);
    element.addEventListener("click", does);
    return element;
  };
  const reviewed = run.reviewed ? `${run.reviewed} reviewed` : "";
  const lines = [placeOf(run), utcTime(run.created), reviewed, `${run.size_mb} MB`].filter(Boolean);
  return make("li", { class: "card", "data-run": run.id },
    make("a", { href: pageOf(run.id) }, picture, make("strong", {}, run.title), make("span", {}, countOf(run)), make("span", { class: "id" }, run.id)),
    ...lines.map((line) => make("p", {}, line)),
    make("p", { class: "buttons" }, make("label", {}, box, " Compare"),
      button("Rename", () => rename(run)), button("Delete", () => remove(run))));
}

function runningLine(run) {
  const percent = Math.round(run.fraction * 100);
  return make("li", {}, make("strong", {}, run.title), ` ${run.step}${percent ? `, ${percent} %` : ""}, since ${utcTime(run.started)}`);
}

function draw(history) {
  ({ runs, every } = history);
  const listed = every
    ? "and is listed here when it is finished."
    : "but only runs that this browser has shown are listed here: if you close the page before its run is finished, open it again within a day.";
  byId("kept").textContent = `A run continues when its page is closed or reloaded, ${listed} Each time a run ends, runs older than ${history.kept.days} days are removed, then the oldest ones until the remaining runs use at most ${history.kept.gb} GB.`;
  byId("count").textContent = runs.length === 1 ? "1 run" : `${runs.length} runs`;
  for (const id of chosen) if (!runs.some((run) => run.id === id)) chosen.delete(id);
  byId("compare").disabled = chosen.size !== 2;
  byId("running").replaceChildren(...history.running.map(runningLine));
  const now = JSON.stringify(runs);
  if (now === shown) return; // keeps the focus
  shown = now;
  byId("runs").replaceChildren(...(runs.length ? runs.map(card) : [make("li", {}, "No runs yet.")]));
}

async function refresh() {
  if (document.hidden) return;
  try {
    draw(await send(`${base}/viewer/runs.json`, { ids: every ? [] : seenRuns() }));
    showMessage(null);
  } catch (error) {
    showMessage(error.message);
  }
}

function confirmed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function rename(run) {
  const dialog = byId("rename");
  const field = dialog.querySelector("input");
  field.value = run.id.replace(/-?\d{8}-\d{6}-[0-9a-f]{6}$/, "");
  if (!(await confirmed(dialog))) return;
  try {
    const { id } = await send(`${pageOf(run.id)}/rename`, { name: field.value });
    rememberRun(id, run.id);
    await refresh();
  } catch (error) {
    showMessage(error.message);
  }
}

async function remove(run) {
  byId("delete-what").textContent = `${run.id}: ${countOf(run)}, ${run.size_mb} MB. This cannot be undone.`;
  if (!(await confirmed(byId("delete")))) return;
  try {
    await send(pageOf(run.id), {}, "DELETE");
    forgetRun(run.id);
    await refresh();
  } catch (error) {
    showMessage(error.message);
  }
}

function compare() {
  const two = runs.filter((run) => chosen.has(run.id)).sort((a, b) => (a.created < b.created ? -1 : 1));
  location.href = `${base}/compare/${two.map((run) => encodeURIComponent(run.id)).join("/")}`;
}

followTheme();
byId("compare").addEventListener("click", compare);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, REFRESH_S * 1000);
refresh();
