// The filter as a form. Its values are the query of this page, of its data and of all downloads.
"use strict";

import { byId, make } from "./api.js";

const NAMES = ["min_score", "min_length_m", "max_length_m", "within_px", "cut", "near_gap", "reviewed", "dark"];
const CHOICES = [["", "all"], ["only", "only these"], ["without", "without these"]];
const WAIT_MS = 250;

export class Filters {
  /** @param changed called when the filter changes */
  constructor(form, changed) {
    this.form = form;
    for (const list of form.querySelectorAll("select")) {
      list.append(...CHOICES.map(([value, text]) => make("option", { value }, text)));
    }
    const query = new URLSearchParams(location.search);
    for (const name of NAMES) if (query.get(name)) form.elements[name].value = query.get(name);
    byId("filter-box").open = Boolean(this.query);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(changed, WAIT_MS);
    });
    form.addEventListener("reset", () => {
      form.elements.within_px.value = ""; // forms do not reset hidden fields
      setTimeout(changed);
    });
    this.changed = changed;
  }

  /** The filter as a query; "" if it keeps all ships. */
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

  /** Write the filter to this page's address, so that it survives a reload. */
  remember() {
    const others = [...new URLSearchParams(location.search)].filter(([name]) => !NAMES.includes(name));
    const query = new URLSearchParams([...others, ...new URLSearchParams(this.query)]).toString();
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""));
  }
}
