// Helpers shared by all pages: requests, elements, local storage, theme and frame.
"use strict";

/** This page's address without the query; endpoints are below it, also behind a proxy's path. */
export const here = location.pathname.replace(/\/+$/, "");

/** Fetch JSON from an endpoint; throws an Error with one sentence. */
export async function fetchJson(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer: restart the app, then try again.");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `The server answered ${answer.status}.`);
  return body;
}

export const send = (address, body, method = "POST") =>
  fetchJson(address, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export const byId = (id) => document.getElementById(id);

/** Create an element with attributes and content (texts or elements). */
export function make(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...content.filter((part) => part != null));
  return element;
}

/** Read a value from local storage, which private windows may lack. */
export function loadLocal(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`shipdet.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function saveLocal(name, value) {
  try {
    localStorage.setItem(`shipdet.${name}`, JSON.stringify(value));
  } catch {
    // without local storage the value is lost
  }
}

/** Ids of the runs that this browser has opened, newest first. */
export const seenRuns = () => loadLocal("runs", []);

/** Remember a run; `instead` is the id that it replaces, after a rename. */
export const rememberRun = (id, instead) =>
  saveLocal("runs", [id, ...seenRuns().filter((other) => other !== id && other !== instead)].slice(0, 500));

export const forgetRun = (id) => saveLocal("runs", seenRuns().filter((other) => other !== id));

export const shipCount = (count) => (count === 1 ? "1 ship" : `${count.toLocaleString("en")} ships`);

/** Format an ISO 8601 time in UTC for display. */
export const utcTime = (text) => (text ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`.trim() : "");

/** Show an error message, or hide it if the text is empty. */
export function showMessage(text) {
  const place = byId("message");
  place.hidden = !text;
  place.textContent = text ?? "";
  const count = byId("count");
  if (text && count.textContent.startsWith("Loading")) count.textContent = "";
}

/** Follow the light or dark theme of the app's page, or of the system outside the app. */
export function followTheme() {
  const apply = (dark) => (document.documentElement.dataset.theme = dark ? "dark" : "light");
  const asked = new URLSearchParams(location.search).get("__theme");
  const outside = window.parent !== window && sameOrigin() ? window.parent.document.body : null;
  if (asked) return apply(asked === "dark");
  if (outside) {
    const look = () => apply(outside.classList.contains("dark"));
    new MutationObserver(look).observe(outside, { attributes: true, attributeFilter: ["class"] });
    return look();
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", () => apply(system.matches));
  return apply(system.matches);
}

function sameOrigin() {
  try {
    return Boolean(window.parent.document.body);
  } catch {
    return false;
  }
}

/** In the app's frame, report the content's height, so that only the app's page scrolls. */
export function growInApp() {
  if (window.parent === window || !sameOrigin()) return;
  const screen = () => document.documentElement.style.setProperty("--screen", `${window.parent.innerHeight}px`);
  window.parent.addEventListener("resize", screen);
  window.addEventListener("pagehide", () => window.parent.removeEventListener("resize", screen));
  screen();
  new ResizeObserver(() => postToApp("height", { height: document.body.offsetHeight })).observe(document.body);
}

/** Send a message to the app's page if this page is in its frame. */
export function postToApp(type, content = {}) {
  if (window.parent !== window) {
    window.parent.postMessage({ source: "shipdet-viewer", type, ...content }, location.origin);
  }
}
