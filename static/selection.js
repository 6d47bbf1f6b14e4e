// Ticking jobs in a list: a page, a range with shift, and the offer to act on all that match.
"use strict";

(() => {
  const BOXES = ".pick input[name=job]";
  let last = null;

  const boxes = () => [...document.querySelectorAll(BOXES)];

  document.addEventListener("click", (event) => {
    const box = event.target.closest?.(BOXES);
    if (!box) return;
    const all = boxes();
    // by id: a refresh may have put another element in its place
    const from = last ? all.findIndex((one) => one.id === last) : -1;
    if (event.shiftKey && from >= 0) {
      const to = all.indexOf(box);
      for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) one.checked = box.checked;
    }
    last = box.id;
    count();
  });

  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-pick-all]");
    if (all) for (const box of boxes()) box.checked = all.checked;
    count();
  });

  function count() {
    const all = boxes();
    const chosen = all.filter((box) => box.checked).length;
    for (const place of document.querySelectorAll("[data-selected]")) {
      const words = chosen ? place.dataset.words.replace("{jobs}", chosen) : "";
      if (place.textContent !== words) place.textContent = words;
    }
    for (const button of document.querySelectorAll("[data-needs-selection]")) button.disabled = chosen === 0;
    const whole = document.querySelector("[data-pick-all]");
    if (whole) {
      whole.checked = chosen > 0 && chosen === all.length;
      whole.indeterminate = chosen > 0 && chosen < all.length;
    }
    for (const offer of document.querySelectorAll("[data-page-selected]")) {
      offer.hidden = !whole?.checked;
      if (!offer.hidden) tellHowMany(offer.querySelector("[data-count-of]"));
    }
  }

  // Asked once a filter: how many there are need not be known to the second.
  const known = new Map();

  async function tellHowMany(link) {
    if (!link) return;
    const address = link.dataset.countOf;
    if (!known.has(address)) {
      known.set(address, null);
      try {
        const answer = await fetch(address, { headers: { Accept: "application/json" } });
        if (answer.ok) known.set(address, await answer.json());
      } catch {
        // without the number the link says the same
      }
    }
    const found = known.get(address);
    if (!found?.jobs || !link.isConnected) return;
    const words = `${found.jobs.toLocaleString("en").replaceAll(",", "\u202f")}${found.more ? "+" : ""}`;
    const text = link.dataset.words.replace("{jobs}", words);
    if (link.textContent !== text) link.textContent = text;
  }

  document.addEventListener("htmx:afterSettle", count);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", count);
  else count();
})();
