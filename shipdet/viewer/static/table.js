// The table of ships, sorted by a column: numbers numerically, empty cells last.
"use strict";

import { make } from "./api.js";

const number = (name, title, digits, unit = "") => ({
  name, title, number: true, value: (ship) => ship[name],
  text: (value) => (value == null ? "" : value.toFixed(digits) + unit),
});
const word = (name, title, value) => ({
  name, title, number: false, value: value ?? ((ship) => ship[name] || null), text: (text) => text ?? "",
});

export const remarks = (ship) =>
  [ship.cut && "cut by the edge", ship.near_gap && "near missing imagery",
    ship.raw_support === false && "not in the raw image"].filter(Boolean).join(", ");

/** The columns that apply to the ships of a run. */
export function columnsOf(run) {
  const place = run.georeferenced
    ? [number("lat", "Latitude", 5), number("lon", "Longitude", 5)]
    : [number("x", "x (px)", 0), number("y", "y (px)", 0)];
  const ais = [
    word("name", "Name"), number("mmsi", "MMSI", 0),
    word("dark", "AIS", (ship) => (ship.dark == null ? null : ship.dark ? "dark" : "known")),
  ];
  const times = new Set(run.ships.map((ship) => ship.acquired)); // a single time is shown below the image
  return [
    number("id", "Ship", 0), number("score", "Score", 3), number("length_m", "Length (m)", 0),
    number("width_m", "Width (m)", 0), number("axis_deg", "Axis (°)", 0),
    ...(run.ships.some((ship) => ship.review) ? [word("review", "Review")] : []),
    ...place, ...(run.ais ? ais : []),
    ...(run.acquired && times.size > 1 ? [word("acquired", "Acquired", (ship) => ship.acquired?.slice(0, 16).replace("T", " "))] : []),
    word("note", "Note", (ship) => remarks(ship) || null),
  ];
}

export class Table {
  /**
   * @param chosen called with a ship's key
   * @param crop (ship) => address of its crop
   * @param rejected called with a ship; if missing, the table has no reject buttons
   */
  constructor(head, rows, { chosen, crop, rejected }) {
    Object.assign(this, { head, rows, chosen, crop, rejected });
    this.own = []; // additional columns of the page
    this.order = { name: "id", down: false };
    this.drawn = new Map();
  }

  show(run) {
    const [first, ...others] = columnsOf(run);
    const columns = [first, ...this.own, ...others];
    const names = columns.map((column) => column.name).join();
    this.ships = run.ships;
    if (names !== this.names) {
      this.columns = columns;
      this.names = names;
      this.drawHead();
    }
    this.drawRows();
  }

  drawHead() {
    this.head.replaceChildren(
      make("th", { scope: "col" }, make("span", { class: "unseen" }, "Crop")),
      ...this.columns.map((column) => {
        const button = make("button", { type: "button" }, column.title);
        button.addEventListener("click", () => this.sort(column.name));
        return make("th", { scope: "col", class: column.number && "number", "data-name": column.name }, button);
      }),
    );
  }

  sort(name) {
    this.order = { name, down: this.order.name === name && !this.order.down };
    this.drawRows();
  }

  /** The ships in the order of the rows. */
  get sorted() {
    const column = this.columns.find(({ name }) => name === this.order.name) ?? this.columns[0];
    const sign = this.order.down ? -1 : 1;
    return [...this.ships].sort((one, other) => {
      const [a, b] = [column.value(one), column.value(other)];
      if (a == null || b == null) return (a == null) - (b == null);
      return sign * (column.number ? a - b : String(a).localeCompare(String(b)));
    });
  }

  drawRows() {
    for (const cell of this.head.querySelectorAll("th[data-name]")) {
      const on = cell.dataset.name === this.order.name;
      if (on) cell.setAttribute("aria-sort", this.order.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    const row = document.activeElement?.closest("tr");
    const focused = this.rows.contains(row) && {
      key: Number(row.dataset.key),
      place: [...this.rows.children].indexOf(row),
      button: [...row.querySelectorAll("button")].indexOf(document.activeElement),
    };
    this.drawn.clear();
    this.rows.replaceChildren(...this.sorted.map((ship) => this.row(ship)));
    this.mark(this.marked, false);
    if (focused) { // the same ship, or the one that has taken its place
      const same = this.drawn.get(focused.key) ?? this.rows.children[focused.place];
      same?.querySelectorAll("button")[focused.button]?.focus({ preventScroll: true });
    }
  }

  row(ship) {
    const cells = this.columns.map((column, index) => {
      const text = column.text(column.value(ship));
      if (index > 0) return make("td", { class: column.number && "number" }, text);
      const button = make("button", { type: "button", "aria-label": `Ship ${text}` }, text);
      return make("td", { class: "number" }, button);
    });
    const image = make("img", { src: this.crop(ship), alt: "", loading: "lazy", width: 40, height: 40 });
    const first = make("td", {}, make("span", { class: "crop" }, image, this.rejected && this.rejectButton(ship)));
    const row = make("tr", { "data-key": ship.key, "data-review": ship.review || null }, first, ...cells);
    row.addEventListener("click", () => this.chosen(ship.key));
    this.drawn.set(ship.key, row);
    return row;
  }

  rejectButton(ship) {
    const button = make("button", { type: "button", "aria-label": `Reject ship ${ship.id}`, title: "Reject" }, "✕");
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      this.rejected(ship);
    });
    return button;
  }

  /** Show a ship's review in its row. */
  restyle(ship) {
    const row = this.drawn.get(ship.key);
    if (row) row.dataset.review = ship.review;
  }

  mark(key, show = true) {
    this.drawn.get(this.marked)?.removeAttribute("aria-current");
    this.marked = key;
    const row = this.drawn.get(key);
    row?.setAttribute("aria-current", "true");
    if (row && show) this.reveal(row);
  }

  /** Scroll a row into view; scrolls only the table, unlike scrollIntoView. */
  reveal(row) {
    const box = row.closest(".table");
    const lowest = row.offsetTop - this.head.offsetHeight; // the head is sticky
    const least = row.offsetTop + row.offsetHeight - box.clientHeight;
    box.scrollTop = Math.min(lowest, Math.max(least, box.scrollTop));
  }

  /** The ship `step` rows below the selected one; the first ship if none is selected. */
  beside(step) {
    const order = this.sorted;
    const at = order.findIndex((ship) => ship.key === this.marked);
    return at < 0 ? order[0] : order[Math.min(Math.max(at + step, 0), order.length - 1)];
  }
}
