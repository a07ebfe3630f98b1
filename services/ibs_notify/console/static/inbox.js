// The inbox: new events are announced and never pushed in; what was marked leaves its place to the
// next; the event's page is told in what order the events stood.
"use strict";

(() => {
  const ORDER = "inbox-order";
  let source = null;

  function say(text) {
    const news = one("#news");
    one("span", news).textContent = text;
    if (news.hidden) tell(text);
    news.hidden = !text;
  }

  function announce({ count, more }) {
    if (more) say(`${count} and more new events`);
    else say(count === 1 ? "1 new event" : count ? `${count} new events` : "");
  }

  // A browser has few connections to one place: a page that nobody sees takes none of them. What
  // it missed meanwhile is counted when it is looked at again.
  function listen() {
    source?.close();
    const url = one("#events")?.dataset.live;
    if (!url || document.hidden) return;
    source = new EventSource(url);
    source.addEventListener("new", (event) => announce(JSON.parse(event.data)));
    source.addEventListener("error", () => document.dispatchEvent(new Event("silent")));
    source.addEventListener("gap", () => say("Some events may be missing: look again"));
    source.addEventListener("ended", () => {
      source.close();
      say("You are no longer logged in: look again");
    });
  }

  // ---- the order, for the next and the previous on an event's page

  function keepOrder() {
    const links = all("#events .event-text > a").map((link) => link.getAttribute("href"));
    try {
      sessionStorage.setItem(ORDER, JSON.stringify({ at: location.pathname + location.search, links }));
    } catch {
      // A browser may keep only so much.
    }
  }

  // ---- selecting

  function showSelected() {
    const boxes = all("#events tbody input[type=checkbox]");
    const ticked = boxes.filter((box) => box.checked).length;
    const every = one("[data-all]");
    if (!every) return;
    every.checked = ticked > 0 && ticked === boxes.length;
    every.indeterminate = ticked > 0 && ticked < boxes.length;
    one("[data-selected]").textContent = ticked ? `${ticked} selected` : "Select";
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      for (const box of all("#events tbody input[type=checkbox]")) box.checked = event.target.checked;
    }
    if (event.target.closest("#events")) showSelected();
  });

  // ---- marking by htmx: the keyboard goes on where it was

  let place = -1;

  // Numbers and what became of each go by what is still there; nothing left is said by the page.
  function afterMark() {
    for (const part of all("#counts, #chart, #told")) window.htmx.trigger(part, "refresh");
    if (one("#events [data-row]")) return;
    window.htmx.ajax("GET", location.pathname + location.search, { target: "#events", swap: "outerHTML" });
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const row = event.target.closest("[data-row]");
    place = row ? all("#events [data-row]").indexOf(row) : -1;
  });

  document.addEventListener("htmx:afterSettle", () => {
    if (place >= 0 && (document.activeElement === document.body || !document.activeElement)) {
      const rows = all("#events [data-row]");
      rows[Math.min(place, rows.length - 1)]?.focus({ preventScroll: true });
    }
    if (place >= 0) afterMark();
    place = -1;
    keepOrder();
    showSelected();
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!event.detail.elt.closest("#news") && event.detail.target.id !== "events") return;
    one("#news").hidden = true;
    listen();
    for (const id of ["#counts", "#chart"]) window.htmx.trigger(one(id), "refresh");
    one("#events").scrollIntoView({ block: "start" });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "." || !isForPage(event)) return;
    const news = one("#news");
    if (news && !news.hidden) one("a", news).click();
  });

  // ---- back from an event of this very view: on at its row. Every other way leads to the top.

  function goOn() {
    const opened = sessionStorage.getItem("inbox-opened");
    const view = sessionStorage.getItem("inbox-back");
    for (const name of ["inbox-opened", "inbox-back"]) sessionStorage.removeItem(name);
    const [navigation] = performance.getEntriesByType("navigation");
    if (navigation?.type !== "back_forward" && view !== location.pathname + location.search) return;
    const link = opened && all("#events .event-text > a").find((each) => each.getAttribute("href") === opened);
    link?.closest("[data-row]").focus();
  }

  listen();
  keepOrder();
  goOn();
  document.addEventListener("visibilitychange", listen);
  // Whatever ended the stream: a console that was started anew answers a new one.
  document.body.addEventListener("renew", listen);
  // A page that comes back from the browser's store is no longer listening.
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  addEventListener("pagehide", () => source?.close());
})();
