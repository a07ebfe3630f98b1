// Selecting rows, in the inbox and in Tasks: all of a page at once, and how many are selected. A list
// that renews itself keeps what is selected.
"use strict";

(() => {
  const boxes = (form) => all(`input[type=checkbox][form="${form}"]`);

  function show(form) {
    const selected = boxes(form).filter((box) => box.checked).length;
    for (const place of all(`[data-selected="${form}"]`)) {
      place.textContent = selected ? `${selected} selected` : "Select all";
    }
    for (const button of all(`#${form} button`)) button.disabled = !selected;
    const every = one(`[data-select-all="${form}"]`);
    if (every) {
      every.checked = selected > 0 && selected === boxes(form).length;
      every.indeterminate = selected > 0 && !every.checked;
    }
  }

  const renew = () => {
    for (const every of all("[data-select-all]")) {
      every.parentElement.hidden = boxes(every.dataset.selectAll).length === 0;
      show(every.dataset.selectAll);
    }
  };

  document.addEventListener("change", (event) => {
    const form = event.target.dataset?.selectAll;
    if (form) for (const box of boxes(form)) box.checked = event.target.checked;
    if (form || event.target.matches("input[type=checkbox][form]")) {
      show(form ?? event.target.getAttribute("form"));
    }
  });
  document.addEventListener("htmx:afterSettle", renew);
  renew();
})();
