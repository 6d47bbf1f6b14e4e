// A message that can be undone becomes a toast that counts down; the button goes when it would come too late.
"use strict";

(() => {
  function start() {
    for (const message of document.querySelectorAll(".message[data-undo-until]")) {
      message.classList.add("toast");
      document.getElementById("toasts").append(asToast(message));
    }
  }

  // A list item may only stand in a list.
  function asToast(message) {
    const box = document.createElement("div");
    box.className = "toast undoable";
    box.id = "undo";
    box.dataset.undoUntil = message.dataset.undoUntil;
    box.append(...message.childNodes);
    const list = message.parentElement;
    message.remove();
    if (list && !list.children.length) list.remove();
    tick(box);
    return box;
  }

  function tick(box) {
    const left = Math.ceil(Number(box.dataset.undoUntil) - Date.now() / 1000);
    const label = box.querySelector("button span");
    if (left <= 0 || !label) {
      box.querySelector("form")?.remove();
      setTimeout(() => box.remove(), 4000);
      return;
    }
    // A clock that is far off must not promise more than there is.
    label.textContent = label.dataset.words.replace("{seconds}", Math.min(left, 60));
    setTimeout(() => tick(box), 250);
  }

  document.addEventListener("DOMContentLoaded", start);
})();
