// What makes the pages live. Everything here also works without it, as links and forms.
"use strict";

(() => {
  const root = document.documentElement;
  const EVERY = 2000;
  const SLOWEST = 60000;
  root.classList.add("js");

  // --- Live regions: [data-live] is asked again with its version; 204 says nothing has changed -------------------

  // A refresh must not undo what the person typed, ticked or opened. (Hidden fields are ours to change.)
  if (window.Idiomorph) {
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
      !(((name === "checked" || name === "value") && node.matches("input:not([type=hidden]), textarea, select")) ||
        (name === "open" && node.matches("details")));
  }

  let paused = sessionStorage.getItem("live") === "off";
  let failures = 0;
  let hiddenRounds = 0;
  let timer = 0;

  function delay() {
    const doublings = Math.max(failures, hiddenRounds);
    return Math.min(EVERY * 2 ** doublings, SLOWEST);
  }

  function schedule(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(round, milliseconds);
  }

  function round() {
    hiddenRounds = document.hidden ? Math.min(hiddenRounds + 1, 5) : 0;
    if (!paused) {
      for (const region of document.querySelectorAll("[data-live]:not(.htmx-request)")) htmx.trigger(region, "refresh");
    }
    schedule(delay());
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) round();
  });

  document.addEventListener("htmx:configRequest", (event) => {
    const region = event.detail.elt;
    if (region.matches("[data-live]") && event.detail.triggeringEvent?.type === "refresh") {
      event.detail.parameters.v = region.dataset.version;
    }
  });

  // Logs that a person has scrolled back in: new lines must not move what he reads.
  const read = new WeakSet();

  document.addEventListener("htmx:beforeSwap", () => {
    for (const log of document.querySelectorAll("[data-tail]")) {
      if (log.scrollTop + log.clientHeight < log.scrollHeight - 8) read.add(log);
      else read.delete(log);
    }
  });

  function settled() {
    tellTimes();
    countSelected();
    for (const log of document.querySelectorAll("[data-tail]")) {
      if (!read.has(log)) log.scrollTop = log.scrollHeight;
    }
  }

  document.addEventListener("htmx:afterSettle", settled);

  function showLive() {
    for (const button of document.querySelectorAll("[data-live-toggle]")) {
      button.setAttribute("aria-pressed", String(!paused));
      button.textContent = paused ? "Paused" : "Live";
    }
  }

  // --- Failures --------------------------------------------------------------------------------------------------

  document.addEventListener("htmx:afterRequest", (event) => {
    const told = Date.parse(event.detail.xhr?.getResponseHeader("Date") ?? "");
    if (told) skew = told - Date.now();
    if (!event.detail.successful) return;
    failures = 0;
    document.getElementById("away")?.remove();
  });

  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    const request = answer.getResponseHeader("X-Correlation-ID");
    // 401 is on its way to the sign-in page
    if (answer.status !== 401) failed(`The server answered ${answer.status}. ${request ? `Request id ${request}.` : ""}`);
  });

  document.addEventListener("htmx:sendError", () => failed("The server is not answering. Trying again."));

  function failed(text) {
    failures = Math.min(failures + 1, 5);
    toast(text, "away");
  }

  function toast(text, id) {
    document.getElementById(id)?.remove();
    const box = document.createElement("div");
    box.className = "toast";
    box.id = id;
    const words = document.createElement("p");
    words.textContent = text;
    const close = document.createElement("button");
    close.className = "button small plain";
    close.textContent = "Close";
    close.addEventListener("click", () => box.remove());
    box.append(words, close);
    document.getElementById("toasts").append(box);
  }

  // --- Times -----------------------------------------------------------------------------------------------------

  let skew = 0;

  function rough(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  }

  function tellTimes() {
    for (const time of document.querySelectorAll("time[data-ago], time[data-since], time[data-due]")) {
      const passed = (Date.now() + skew - Date.parse(time.dateTime)) / 1000;
      let words;
      if ("since" in time.dataset) words = rough(Math.max(passed, 0));
      else if ("due" in time.dataset) words = passed < 0 ? `in ${rough(-passed)}` : "due";
      else words = passed >= -0.5 ? `${rough(Math.max(passed, 0))} ago` : `in ${rough(-passed)}`;
      if (time.textContent !== words) time.textContent = words;
    }
  }

  // --- Theme, menus, forms ---------------------------------------------------------------------------------------

  document.addEventListener("submit", (event) => {
    const theme = event.submitter?.closest("[data-theme-form]") ? event.submitter.value : null;
    if (!theme) return;
    event.preventDefault();
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    for (const button of event.target.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
    const all = event.target.closest("[data-pick-all]");
    if (all) for (const box of document.querySelectorAll(".pick input[name=job]")) box.checked = all.checked;
    countSelected();
  });

  function countSelected() {
    const chosen = document.querySelectorAll(".pick input[name=job]:checked").length;
    for (const place of document.querySelectorAll("[data-selected]")) place.textContent = chosen ? `${chosen} selected` : "";
    for (const button of document.querySelectorAll("[data-needs-selection]")) button.disabled = chosen === 0;
  }

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(document.getElementById(copier.dataset.copy).textContent, copier);
    if (event.target.closest("[data-live-toggle]")) {
      paused = !paused;
      sessionStorage.setItem("live", paused ? "off" : "on");
      showLive();
      if (!paused) round();
    }
  });

  // Without TLS the clipboard is closed to pages; a selected text area can still be copied.
  async function copy(text, button) {
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.className = "hidden";
      area.value = text;
      document.body.append(area);
      area.select();
      copied = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    if (button.textContent !== "Copy") return;
    button.textContent = copied ? "Copied" : "Not allowed";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    showLive();
    if (matchMedia("(max-width: 680px)").matches) {
      for (const fold of document.querySelectorAll("[data-fold-on-phone]")) fold.open = false;
    }
    settled();
    setInterval(tellTimes, 1000);
    schedule(EVERY);
  });
})();
