// Shows when the server does not answer. A restarted server knows nothing about this page, so the
// page reloads after a restart and says so.
(() => {
  "use strict";
  if (window.shipdetAlive) return; // gradio may insert the page's head twice
  window.shipdetAlive = true;

  const EVERY_MS = 3000;
  const FLAG = "shipdet.restarted";
  let started, missed = 0;

  /** Read or change the flag in the session's storage, which a frame may not be allowed to use. */
  function remember(action, ...value) {
    try {
      return sessionStorage[action](FLAG, ...value);
    } catch {
      return null;
    }
  }

  function show(text, role) {
    let banner = document.getElementById("sd-alive");
    if (!text) return banner?.remove();
    if (!banner) {
      banner = document.createElement("div");
      banner.id = "sd-alive";
      document.body.append(banner);
    }
    if (banner.textContent !== text) {
      banner.setAttribute("role", role);
      banner.textContent = text;
    }
  }

  async function look() {
    let answer;
    try {
      answer = await fetch("healthz", { cache: "no-store" });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`); // a proxy answers for the server
    } catch {
      if (++missed > 1) {
        show("The server does not answer: restart it, and this page reconnects automatically.", "alert");
      }
      return;
    }
    const now = answer.headers.get("shipdet-started");
    if (started && now && now !== started) {
      remember("setItem", "yes");
      location.reload();
      return;
    }
    if (missed) show("");
    [started, missed] = [now ?? started, 0];
  }

  function begin() {
    if (remember("getItem")) {
      remember("removeItem");
      show("The server was restarted: a run in progress is lost; finished runs are in the history.", "status");
      setTimeout(() => show(""), 20_000);
    }
    setInterval(() => document.hidden || look(), EVERY_MS);
    look();
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
  else begin();
})();
