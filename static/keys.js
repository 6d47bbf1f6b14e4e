// The keyboard: single keys, the palette (Ctrl or Cmd with K) and the list of all keys (?). Nothing needs it.
"use strict";

(() => {
  const GO = {
    o: "/", j: "/jobs/", d: "/dead-letters/", e: "/errors/", b: "/bulk-operations/", s: "/schedules/", q: "/queues/",
    w: "/workers/", a: "/analytics/", m: "/model/", c: "/classifier/", n: "/jobs/submit/", p: "/profile/",
  };
  const PATIENCE = 1500;
  const MOST = 12;
  const words = document.getElementById("words").dataset;
  const help = document.getElementById("help");
  const palette = document.getElementById("palette");
  let going = 0;

  // WCAG 2.1.4: keys without Ctrl can be turned off.
  const on = () => localStorage.getItem("keys") !== "off";

  const typing = (target) => Boolean(target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]"));

  // --- Rows: j and k go down and up, x ticks, Enter follows the link that has the focus ---------------------------

  const rows = () => [...document.querySelectorAll("main .table tbody tr")].filter((row) => row.querySelector("a[href]"));

  function step(by) {
    const neighbour = document.querySelector(by > 0 ? "a[rel~=next][data-key]" : "a[rel~=prev][data-key]");
    if (neighbour) return neighbour.click();
    const all = rows();
    if (!all.length) return;
    const here = all.indexOf(document.activeElement.closest("tr"));
    const there = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1);
    (all[there].querySelector("a.name") ?? all[there].querySelector("a[href]")).focus();
  }

  function tick() {
    document.activeElement.closest("tr")?.querySelector(".pick input")?.click();
  }

  const visit = (path) => {
    const link = document.querySelector(`#nav a[href="${path}"], .top a[href="${path}"]`);
    if (link) location.assign(path);
  };

  function search() {
    const box = document.querySelector("main input[type=search]");
    if (box) box.focus();
    else visit("/jobs/");
  }

  const KEYS = {
    "/": search,
    "?": () => help?.showModal(),
    g: () => (going = Date.now()),
    j: () => step(1),
    k: () => step(-1),
    x: tick,
    n: () => visit("/jobs/submit/"),
    r: () => document.dispatchEvent(new Event("smartqueue:refresh")),
    y: () => document.querySelector("[data-copy=job-link]")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && palette) {
      event.preventDefault();
      return open();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (!on()) return;
    if (Date.now() - going < PATIENCE && event.key in GO) {
      going = 0;
      event.preventDefault();
      return visit(GO[event.key]);
    }
    going = 0;
    if (event.key in KEYS) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  // --- The list of keys ------------------------------------------------------------------------------------------

  const keep = help?.querySelector("[data-keys]");
  if (keep) {
    keep.checked = on();
    keep.addEventListener("change", () => localStorage.setItem("keys", keep.checked ? "on" : "off"));
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener?.dataset.open === "help") help.showModal();
    if (opener?.dataset.open === "palette") open();
    if (event.target.closest("[data-close]") || event.target.matches("dialog[open]")) event.target.closest("dialog")?.close();
  });

  // --- The palette: every page, and the search for what is typed -------------------------------------------------

  const input = palette?.querySelector("input");
  const list = palette?.querySelector("[role=listbox]");
  let chosen = 0;

  function open() {
    input.value = "";
    show();
    palette.showModal();
    input.focus();
  }

  function places() {
    const links = [...document.querySelectorAll("#nav a, .top .sheet a")];
    return links.map((link) => ({ text: link.textContent.trim(), href: link.getAttribute("href") }));
  }

  function matching(text) {
    const asked = text.trim().toLowerCase();
    const found = places().filter((place) => place.text.toLowerCase().includes(asked));
    if (asked) found.push({ text: words.searchJobs.replace("{text}", text.trim()), href: `/jobs/?q=${encodeURIComponent(text.trim())}` });
    return found.slice(0, MOST);
  }

  function show() {
    chosen = 0;
    list.replaceChildren(
      ...matching(input.value).map((place, index) => {
        const option = document.createElement("a");
        option.href = place.href;
        option.textContent = place.text;
        option.id = `place-${index}`;
        option.role = "option";
        option.tabIndex = -1;
        return option;
      }),
    );
    mark();
  }

  function mark() {
    for (const [index, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(index === chosen));
    input.setAttribute("aria-activedescendant", list.children[chosen]?.id ?? "");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  }

  input?.addEventListener("input", show);
  input?.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      const many = list.children.length;
      if (many) chosen = (chosen + by + many) % many;
      mark();
    }
    if (event.key === "Enter") {
      event.preventDefault();
      list.children[chosen]?.click();
    }
  });
})();
