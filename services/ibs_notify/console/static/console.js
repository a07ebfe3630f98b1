// What every page has: copying, asking first, times that stay true, and the keyboard. Pages work without.
"use strict";

const one = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// ---- copying

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const text = (button.dataset.text ??= button.textContent); // a second press finds "Copied"
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = text; }, 1500);
});

// ---- sending: only once it is sure to arrive (live.js)

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || window.reaching?.wasReached(event)) return;
  if (window.reaching?.isToBeReached(event)) event.preventDefault();
});

// ---- asking first: Cancel closes the question, and the keyboard is where it was

document.addEventListener("click", (event) => {
  const question = event.target.closest("[data-close]")?.closest("details");
  if (!question) return;
  event.preventDefault();
  question.open = false;
  one("summary", question).focus();
});

// ---- a form with [data-unsaved] says that it is not saved yet, and leaving it asks: once for what
// was written, and not where it is sent. "changed" is one that was refused, or got another row.

function written(form) {
  const fields = all("input:not([type=hidden]), select, textarea", form);
  return JSON.stringify(fields.filter((each) => each.name && !each.matches("[data-preview]"))
    .map((each) => [each.name, /checkbox|radio/.test(each.type) ? each.checked && each.value : each.value])
    .filter((each) => each[1]));
}

for (const form of all("form[data-unsaved]")) {
  const before = form.dataset.unsaved ? "" : written(form);
  let [now, askedAbout, isSent] = [before, before, false];
  const look = () => {
    now = written(form);
    const isChanged = now !== before;
    const note = one("[data-unsaved-note]", form);
    const says = Object.assign(document.createElement("span"), { className: "badge tone-warn", textContent: "not saved yet" });
    if (note && isChanged === !note.firstChild) note.replaceChildren(...(isChanged ? [says] : []));
    if (isChanged) for (const each of all("main > .banner.done")) each.remove();
  };
  for (const name of ["input", "change", "htmx:afterSettle"]) form.addEventListener(name, look);
  document.addEventListener("submit", (event) => {
    const isItself = event.target === form && !event.submitter?.formTarget;
    isSent = isItself && !event.defaultPrevented;
  });
  addEventListener("pageshow", () => { isSent = false; look(); });
  addEventListener("beforeunload", (event) => {
    if (isSent || now === before || now === askedAbout) return;
    askedAbout = now;
    event.preventDefault();
  });
}

// ---- times: "3 min ago" grows older while a page is open

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function relative(seconds) {
  let left = Math.abs(Math.round(seconds));
  if (left < 2) return "now";
  const parts = [];
  for (const [unit, name] of UNITS) {
    if (left >= unit) parts.push(`${Math.floor(left / unit)} ${name}`);
    left %= unit;
  }
  return seconds > 0 ? `in ${parts.slice(0, 2).join(" ")}` : `${parts[0]} ago`;
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

// ---- focus: what htmx replaces gives it on. The same link or button has it again, else the row that
// took the place, else the part as a whole; never nothing.

const had = new WeakMap(); // by request: what had it, the which of its like, and its row's place

function alike(one) {
  const name = (each) => each.getAttribute("href") ?? each.textContent.trim();
  return (other) => other.tagName === one.tagName && name(other) === name(one);
}

document.addEventListener("htmx:beforeSwap", ({ detail: { target, xhr } }) => {
  const focus = document.activeElement;
  // The inbox sees to rows that are marked.
  if (focus === document.body || !target.contains(focus) || target.matches("[data-row]")) return;
  had.set(xhr, {
    focus,
    which: all(focus.tagName, target).filter(alike(focus)).indexOf(focus),
    row: all("[data-row]", target).indexOf(focus.closest("[data-row]")),
  });
});

document.addEventListener("htmx:afterSettle", ({ target, detail }) => {
  const before = had.get(detail.xhr);
  if (!before || document.activeElement !== document.body) return;
  const part = detail.target.isConnected ? detail.target : target;
  const rows = before.row < 0 ? [] : all("[data-row]", part);
  const heir = all(before.focus.tagName, part).filter(alike(before.focus))[before.which]
    ?? rows[Math.min(before.row, rows.length - 1)] ?? part;
  if (heir === part) part.tabIndex = -1;
  heir.focus({ preventScroll: true });
});

// ---- Escape folds what was unfolded, and its summary has the focus again

const OWN_ESCAPE = "select, [list], [type^=date], [type=time], dialog *"; // closes what they opened themselves

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || target.matches(OWN_ESCAPE)) return;
  if (target.type === "search" && target.value) return;
  const menu = one("#menu-toggle");
  const details = target.closest("details[open]");
  if (details) {
    details.open = false;
    one("summary", details).focus();
  } else if (menu?.checked && target.closest(".sidebar")) {
    menu.checked = false;
    menu.focus();
  }
});

// ---- keyboard: rows of a list are [data-row], opened by their [data-open], else by their first
// link or what they unfold; a row may have [data-key="e"] buttons

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
      (one("a[data-open]", row) ?? one("a[href], summary", row))?.click();
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
