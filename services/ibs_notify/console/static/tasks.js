// Selecting rows: all of a page at once, and how many are selected. A list that renews itself keeps
// what is selected.
"use strict";

(() => {
  const boxes = (form) => [...document.querySelectorAll(`input[type=checkbox][form="${form}"]`)];

  function show(form) {
    const selected = boxes(form).filter((box) => box.checked).length;
    for (const place of document.querySelectorAll(`[data-selected="${form}"]`)) {
      place.textContent = selected ? `${selected} selected` : "";
    }
    for (const button of document.querySelectorAll(`#${form} button`)) button.disabled = !selected;
    const all = document.querySelector(`[data-select-all="${form}"]`);
    if (all) {
      all.checked = selected > 0 && selected === boxes(form).length;
      all.indeterminate = selected > 0 && !all.checked;
    }
  }

  const renew = () => {
    for (const all of document.querySelectorAll("[data-select-all]")) {
      all.parentElement.hidden = boxes(all.dataset.selectAll).length === 0;
      show(all.dataset.selectAll);
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
