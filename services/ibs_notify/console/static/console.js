// What every page has: copying, confirming, times that stay true, and the keyboard. Pages work without.
"use strict";

const one = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// ---- copying

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const text = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = text; }, 1500);
});

// ---- sending: only once it is sure to arrive (live.js), and after a yes where one is asked for

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || window.reaching?.wasReached(event)) return;
  const question = event.target.dataset.confirm;
  if ((question && !window.confirm(question)) || window.reaching?.isToBeReached(event)) event.preventDefault();
});

// ---- times: "3 min ago" grows older while a page is open

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function relative(seconds) {
  const size = Math.abs(Math.round(seconds));
  if (size < 2) return "now";
  const [unit, name] = UNITS.find(([unit]) => size >= unit);
  const text = `${Math.floor(size / unit)} ${name}`;
  return seconds > 0 ? `in ${text}` : `${text} ago`;
}

// The console's clock, as far as it is ahead of the visitor's.
const ahead = Date.parse(document.body.dataset.now) - Date.now();

/** Of what nobody has told anything newer of since "frozen", ages stand still as well. */
function tellAges() {
  const now = (Number(document.body.dataset.frozen) || Date.now()) + ahead;
  for (const time of all("time[datetime]")) {
    time.textContent = relative((Date.parse(time.dateTime) - now) / 1000);
  }
}

setInterval(tellAges, 15000);

// ---- finding in a list that is all there: the rows that [data-filter] names and that have the text

document.addEventListener("input", (event) => {
  const { filter } = event.target.dataset;
  if (!filter) return;
  const text = event.target.value.trim().toLowerCase();
  for (const row of all(filter)) row.hidden = !row.textContent.toLowerCase().includes(text);
});

// ---- keyboard: rows of a list are [data-row], opened by their [data-open], else by their first
// link; a row may have [data-key="e"] buttons

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keyboard]")) one("#keyboard-help").showModal();
});

const PLACES = { i: "/inbox", o: "/", k: "/tasks", t: "/targets", g: "/groups", s: "/silences", d: "/datastores" };
let awaited = false; // a "g" was pressed

function isTyping(target) {
  return target.isContentEditable || target.closest("input:not([type=checkbox]), textarea, select, dialog");
}

/** Whether a key is meant for the page, and not for a field or for the browser. */
function isForPage(event) {
  return !(event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target));
}

/** Says something to who listens to the page. */
function tell(text) {
  one("#live-region").textContent = text;
}

function move(step) {
  const rows = all("[data-row]:not([hidden])");
  if (!rows.length) return;
  const current = rows.indexOf(document.activeElement.closest("[data-row]"));
  const next = rows[Math.min(Math.max(current + step, 0), rows.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (!isForPage(event)) return;
  if (awaited) {
    awaited = false;
    if (PLACES[event.key]) location.assign(PLACES[event.key]);
    return;
  }
  const row = document.activeElement.closest("[data-row]");
  switch (event.key) {
    case "g": awaited = true; return;
    case "j": move(1); break;
    case "k": move(-1); break;
    case "/": {
      const field = one("[data-search]");
      field?.closest("details")?.setAttribute("open", "");
      field?.focus();
      break;
    }
    case "?": one("#keyboard-help").showModal(); break;
    case "Enter":
      if (row !== document.activeElement) return;
      (one("a[data-open]", row) ?? one("a[href]", row))?.click();
      break;
    case "x": if (row) one("input[type=checkbox]", row)?.click(); break;
    default: {
      const button = row && one(`[data-key="${CSS.escape(event.key)}"]`, row);
      if (!button) return;
      button.click();
    }
  }
  event.preventDefault();
});
