// What makes the pages live. Everything here also works without it, as links and forms.
"use strict";

(() => {
  const root = document.documentElement;
  const EVERY = 2;
  const SLOWEST = 60;
  root.classList.add("js");
  // The sentences of this script, in the person's language.
  const words = document.getElementById("words").dataset;

  // --- Live regions: [data-live] is asked again with its version; 204 says nothing has changed -------------------

  // A refresh must not undo what the person typed, ticked or opened. (Hidden fields are ours to change.)
  if (window.Idiomorph) {
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
      !(((name === "checked" || name === "value") && node.matches("input:not([type=hidden]), textarea, select")) ||
        (name === "open" && node.matches("details")));
  }

  // Seconds between two rounds, as the person chose; 0 is off.
  const chosen = localStorage.getItem("refresh");
  let every = chosen in { 0: 1, 2: 1, 5: 1, 15: 1, 60: 1 } ? Number(chosen) : EVERY;
  let failures = 0;
  let updatedAt = Date.now();
  let timer = 0;

  function delay() {
    return Math.min((every || EVERY) * 2 ** failures, Math.max(SLOWEST, every)) * 1000;
  }

  function schedule(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(round, milliseconds);
  }

  function round() {
    // what nobody sees is asked for when somebody does again
    if (every && !document.hidden) refresh();
    schedule(delay());
  }

  function refresh() {
    for (const region of document.querySelectorAll("[data-live]:not(.htmx-request)")) htmx.trigger(region, "refresh");
  }

  document.addEventListener("smartqueue:refresh", refresh);

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
    for (const log of document.querySelectorAll("[data-tail]")) {
      if (!read.has(log)) log.scrollTop = log.scrollHeight;
    }
  }

  document.addEventListener("htmx:afterSettle", settled);

  // How often, and how long ago; on pages that have something live.
  function showRefresh() {
    const control = document.querySelector("[data-refresh]");
    if (!control) return;
    control.hidden = !document.querySelector("[data-live]");
    control.querySelector("select").value = String(every);
    const ago = Math.floor((Date.now() - updatedAt) / 1000);
    const told = ago < 2 ? words.now : words.beforeNow.replace("{time}", rough(ago));
    const place = control.querySelector("[data-updated]");
    if (place.textContent !== told) place.textContent = told;
  }

  // --- Failures --------------------------------------------------------------------------------------------------

  document.addEventListener("htmx:afterRequest", (event) => {
    const told = Date.parse(event.detail.xhr?.getResponseHeader("Date") ?? "");
    if (told) skew = told - Date.now();
    if (!event.detail.successful) return;
    failures = 0;
    if (event.detail.elt.matches("[data-live]")) updatedAt = Date.now();
    document.getElementById("away")?.remove();
  });

  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    const request = answer.getResponseHeader("X-Correlation-ID");
    // 401 is on its way to the sign-in page
    if (answer.status !== 401) failed(`${words.answered.replace("{status}", answer.status)} ${request ? words.request.replace("{id}", request) : ""}`);
  });

  document.addEventListener("htmx:sendError", () => failed(words.away));

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
    close.textContent = words.close;
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

  // As the person chose: how long ago, or the moment itself by his clock or in UTC. The other is on hover.
  let mode = localStorage.getItem("times") ?? "relative";

  function stamp(moment, utc) {
    const shown = new Date(moment.getTime() - (utc ? 0 : moment.getTimezoneOffset() * 60000));
    return shown.toISOString().slice(0, 19).replace("T", " ") + (utc ? " UTC" : "");
  }

  function relative(passed, data) {
    if ("due" in data) return passed < 0 ? words.in.replace("{time}", rough(-passed)) : words.due;
    return passed >= -0.5 ? words.ago.replace("{time}", rough(Math.max(passed, 0))) : words.in.replace("{time}", rough(-passed));
  }

  function tellTimes() {
    for (const time of document.querySelectorAll("time[data-ago], time[data-since], time[data-due], time[data-at]")) {
      const moment = new Date(time.dateTime);
      const passed = (Date.now() + skew - moment) / 1000;
      let told;
      if ("since" in time.dataset) told = rough(Math.max(passed, 0));
      else if (mode === "relative" && !("at" in time.dataset)) told = relative(passed, time.dataset);
      else told = stamp(moment, mode !== "local");
      if (time.textContent !== told) time.textContent = told;
      const title = stamp(moment, mode === "local");
      if (time.title !== title) time.title = title;
    }
    showRefresh();
  }

  // --- Theme, menus, forms ---------------------------------------------------------------------------------------

  function press(group, value) {
    for (const button of group.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === value));
  }

  document.addEventListener("submit", (event) => {
    const theme = event.submitter?.closest("[data-theme-form]") ? event.submitter.value : null;
    if (!theme) return;
    event.preventDefault();
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    press(event.target, theme);
  });

  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
    if (event.target.closest("[data-refresh]")) {
      every = Number(event.target.value);
      localStorage.setItem("refresh", every);
      if (every) round();
    }
  });

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(document.getElementById(copier.dataset.copy).textContent, copier);
    const clock = event.target.closest("[data-times] button");
    if (clock) {
      mode = clock.value;
      localStorage.setItem("times", mode);
      press(clock.closest("[data-times]"), mode);
      tellTimes();
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
    const before = button.dataset.before ?? button.textContent;
    button.dataset.before = before;
    button.textContent = copied ? words.copied : words.notAllowed;
    setTimeout(() => (button.textContent = before), 1500);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll("[data-times]")) press(group, mode);
    if (matchMedia("(max-width: 680px)").matches) {
      for (const fold of document.querySelectorAll("[data-fold-on-phone]")) fold.open = false;
    }
    settled();
    setInterval(tellTimes, 1000);
    schedule(delay());
  });
})();
