// The filter as a form; its values are the query of this page, of its data and of every download.
"use strict";

import { byId, made } from "./api.js";

const NAMES = ["min_score", "min_length_m", "max_length_m", "within_px", "cut", "near_gap", "reviewed", "dark"];
const CHOICES = [["", "all"], ["only", "only these"], ["without", "without these"]];
const WAIT_MS = 250;

export class Filters {
  /** @param changed called when the filter is another one */
  constructor(form, changed) {
    this.form = form;
    for (const list of form.querySelectorAll("select")) {
      list.append(...CHOICES.map(([value, text]) => made("option", { value }, text)));
    }
    const asked = new URLSearchParams(location.search);
    for (const name of NAMES) if (asked.get(name)) form.elements[name].value = asked.get(name);
    byId("filter-box").open = Boolean(this.query);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(changed, WAIT_MS);
    });
    form.addEventListener("reset", () => {
      form.elements.within_px.value = ""; // a hidden field is not reset
      setTimeout(changed);
    });
    this.changed = changed;
  }

  /** The filter as a query, "" where it leaves every ship. */
  get query() {
    const given = NAMES.map((name) => [name, this.form.elements[name].value.trim()]).filter(([, value]) => value);
    return new URLSearchParams(given).toString();
  }

  get polygon() {
    const numbers = this.form.elements.within_px.value.match(/-?[\d.]+/g) ?? [];
    return numbers.reduce((points, value, i) => {
      if (i % 2) points.at(-1).push(Number(value));
      else points.push([Number(value)]);
      return points;
    }, []);
  }

  set polygon(points) {
    const text = [...points, points[0]].map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join(", ");
    this.form.elements.within_px.value = `POLYGON ((${text}))`;
    this.changed();
  }

  /** Keep the filter in this page's address, so that a reload finds it. */
  remember() {
    const others = [...new URLSearchParams(location.search)].filter(([name]) => !NAMES.includes(name));
    const query = new URLSearchParams([...others, ...new URLSearchParams(this.query)]).toString();
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""));
  }
}
