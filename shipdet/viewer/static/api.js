// What every page needs of the server and of the browser.
"use strict";

/** This page's address without the query: endpoints lie below it, behind any proxy's path. */
export const here = location.pathname.replace(/\/+$/, "");

/** Ask an endpoint; an error is one sentence. */
export async function ask(address, options) {
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
  ask(address, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export const byId = (id) => document.getElementById(id);

/** An element with attributes, and with texts or elements in it. */
export function made(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...content.filter((part) => part != null));
  return element;
}

/** Something kept in this browser; private windows may have no such place. */
export function kept(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`shipdet.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(`shipdet.${name}`, JSON.stringify(value));
  } catch {
    // it is only forgotten
  }
}

/** The runs that this browser has seen, the newest first. */
export const seenRuns = () => kept("runs", []);

export const rememberRun = (id, instead) =>
  keep("runs", [id, ...seenRuns().filter((other) => other !== id && other !== instead)].slice(0, 500));

export const forgetRun = (id) => keep("runs", seenRuns().filter((other) => other !== id));

export const ships = (count) => (count === 1 ? "1 ship" : `${count.toLocaleString("en")} ships`);

/** A time of ISO 8601 as a person reads it, in UTC. */
export const when = (text) => (text ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`.trim() : "");

/** Show an error, or take it away. */
export function tell(text) {
  const place = byId("message");
  place.hidden = !text;
  place.textContent = text ?? "";
  const count = byId("count");
  if (text && count.textContent.startsWith("Loading")) count.textContent = "";
}

/** Follow the app's page in light and dark, or the system where there is none. */
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

/** In the app's page the frame is as high as what is in it, so that only the page scrolls. */
export function growInApp() {
  if (window.parent === window || !sameOrigin()) return;
  const screen = () => document.documentElement.style.setProperty("--screen", `${window.parent.innerHeight}px`);
  window.parent.addEventListener("resize", screen);
  window.addEventListener("pagehide", () => window.parent.removeEventListener("resize", screen));
  screen();
  new ResizeObserver(() => tellApp("height", { height: document.body.offsetHeight })).observe(document.body);
}

/** Tell the app's page, in which this one is a frame. */
export function tellApp(type, content = {}) {
  if (window.parent !== window) {
    window.parent.postMessage({ source: "shipdet-viewer", type, ...content }, location.origin);
  }
}
