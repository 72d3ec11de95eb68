// The list of runs: open, rename, delete, compare two. It looks again every few seconds while it is
// seen, so that a run that goes on without its page appears when it is finished.
"use strict";

import {
  byId, followTheme, forgetRun, here, made, rememberRun, seenRuns, send, ships, tell, when,
} from "./api.js";

const LOOK_S = 5;
const base = here.replace(/\/runs$/, "");
const pageOf = (id) => `${base}/runs/${encodeURIComponent(id)}`;
const chosen = new Set();
let runs = [], shown = "", every = false;

function placeOf(run) {
  if (!run.bbox) return "";
  const [west, south, east, north] = run.bbox;
  const [lon, lat] = [(west + east) / 2, (south + north) / 2];
  return `${Math.abs(lat).toFixed(3)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(3)}° ${lon < 0 ? "W" : "E"}`;
}

const countOf = (run) => (run.ships == null ? "imagery only" : ships(run.ships));

function card(run) {
  const picture = run.thumbnail ? made("img", { src: `${pageOf(run.id)}/thumbnail.jpg`, alt: "", loading: "lazy" }) : made("span", { class: "blank" });
  const box = made("input", { type: "checkbox", "aria-label": `Compare ${run.id}` });
  box.checked = chosen.has(run.id);
  box.addEventListener("change", () => {
    if (box.checked) chosen.add(run.id);
    else chosen.delete(run.id);
    byId("compare").disabled = chosen.size !== 2;
  });
  const button = (text, does) => {
    const element = made("button", { type: "button", "aria-label": `${text} ${run.id}` }, text);
    element.addEventListener("click", does);
    return element;
  };
  const reviewed = run.reviewed ? `${run.reviewed} reviewed` : "";
  const lines = [placeOf(run), when(run.created), reviewed, `${run.size_mb} MB`].filter(Boolean);
  return made("li", { class: "card", "data-run": run.id },
    made("a", { href: pageOf(run.id) }, picture, made("strong", {}, run.title), made("span", {}, countOf(run)), made("span", { class: "id" }, run.id)),
    ...lines.map((line) => made("p", {}, line)),
    made("p", { class: "buttons" }, made("label", {}, box, " Compare"),
      button("Rename", () => rename(run)), button("Delete", () => remove(run))));
}

function runningLine(run) {
  const percent = Math.round(run.fraction * 100);
  return made("li", {}, made("strong", {}, run.title), ` ${run.step}${percent ? `, ${percent} %` : ""}, since ${when(run.started)}`);
}

function draw(history) {
  ({ runs, every } = history);
  const own = every ? "" : " Only runs that this browser has opened are listed.";
  byId("kept").textContent = `A run continues when its page is closed or reloaded, and is listed here when it is finished. Each time a run ends, runs older than ${history.kept.days} days are removed, then the oldest ones while all use more than ${history.kept.gb} GB.${own}`;
  byId("count").textContent = runs.length === 1 ? "1 run" : `${runs.length} runs`;
  for (const id of chosen) if (!runs.some((run) => run.id === id)) chosen.delete(id);
  byId("compare").disabled = chosen.size !== 2;
  byId("running").replaceChildren(...history.running.map(runningLine));
  const now = JSON.stringify(runs);
  if (now === shown) return; // what is focused stays
  shown = now;
  byId("runs").replaceChildren(...(runs.length ? runs.map(card) : [made("li", { class: "none" }, "No runs yet.")]));
}

async function look() {
  if (document.hidden) return;
  try {
    draw(await send(`${base}/viewer/runs.json`, { ids: every ? [] : seenRuns() }));
    tell(null);
  } catch (error) {
    tell(error.message);
  }
}

function asked(dialog) {
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
  if (!(await asked(dialog))) return;
  try {
    const { id } = await send(`${pageOf(run.id)}/rename`, { name: field.value });
    rememberRun(id, run.id);
    await look();
  } catch (error) {
    tell(error.message);
  }
}

async function remove(run) {
  byId("delete-what").textContent = `${run.id}: ${countOf(run)}, ${run.size_mb} MB. Its files cannot be restored.`;
  if (!(await asked(byId("delete")))) return;
  try {
    await send(pageOf(run.id), {}, "DELETE");
    forgetRun(run.id);
    await look();
  } catch (error) {
    tell(error.message);
  }
}

function compare() {
  const two = runs.filter((run) => chosen.has(run.id)).sort((a, b) => (a.created < b.created ? -1 : 1));
  location.href = `${base}/compare/${two.map((run) => encodeURIComponent(run.id)).join("/")}`;
}

followTheme();
byId("compare").addEventListener("click", compare);
document.addEventListener("visibilitychange", look);
setInterval(look, LOOK_S * 1000);
look();
