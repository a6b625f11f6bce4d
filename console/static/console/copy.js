// Copies the text of the element that a button names in data-copy, and says whether it worked.
"use strict";

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copy(element) {
  // The clipboard is there on https and localhost only; elsewhere the selected text can still be copied.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  }
  select(element);
  return document.execCommand("copy");
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const element = document.getElementById(button.dataset.copy);
    const outcome = document.getElementById("copy-outcome");
    const copied = await copy(element).catch(() => false);
    if (!copied) {
      select(element);
    }
    outcome.textContent = copied ? "Copied." : "Selected; copy it with the keyboard.";
  });
}
