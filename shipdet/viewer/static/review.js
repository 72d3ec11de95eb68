// Sends a reviewer's actions to the server in order, without blocking the keys: actions during a
// request are queued and sent together.
"use strict";

import { here, loadLocal, saveLocal, send } from "./api.js";

export class Reviewer {
  /** @param handlers {query(), changed(run), failed(text), saving(count)} */
  constructor(name, handlers) {
    Object.assign(this, { name, handlers, waiting: [], busy: false });
    name.value = loadLocal("reviewer", "");
    name.addEventListener("change", () => saveLocal("reviewer", name.value.trim()));
    window.addEventListener("beforeunload", (event) => {
      if (this.busy) event.preventDefault();
    });
  }

  act(action) {
    this.waiting.push(action);
    this.handlers.saving(this.waiting.length);
    if (!this.busy) this.sent = this.sendAll();
  }

  /** Wait until all actions are sent; resolves to whether the server accepted them. */
  settled() {
    return this.sent ?? Promise.resolve(true);
  }

  async sendAll() {
    this.busy = true;
    let run = null;
    let saved = true;
    try {
      while (this.waiting.length) {
        const actions = this.waiting.splice(0);
        const query = this.handlers.query();
        run = await send(`${here}/review${query && `?${query}`}`, { by: this.name.value.trim(), actions });
      }
    } catch (error) {
      saved = false;
      this.waiting = [];
      this.handlers.failed(error.message);
    } finally {
      this.busy = false;
    }
    if (run) this.handlers.changed(run);
    return saved;
  }
}
