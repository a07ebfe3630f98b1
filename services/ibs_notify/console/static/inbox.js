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

  function sayOutage(text) {
    const banner = one("#outage");
    if (!banner.hidden && !text) tell("New events are heard of again.");
    one("span", banner).textContent = text;
    banner.hidden = !text;
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
    // A new stream says so at once if the Router is not heard.
    source.addEventListener("open", () => sayOutage(""));
    source.addEventListener("outage", (event) => sayOutage(JSON.parse(event.data).text));
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

  // ---- marking by htmx: the keyboard goes on where it was

  const places = new WeakMap(); // by request: the place of the row that is marked
  let marked = ""; // the event that was marked last, by its address

  // Numbers and what became of each go by what is still there; nothing left is said by the page.
  function afterMark() {
    for (const part of all("#counts, #chart, #told")) window.htmx.trigger(part, "refresh");
    if (one("#events [data-row]")) return;
    window.htmx.ajax("GET", location.pathname + location.search, { target: "#events", swap: "outerHTML" });
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const row = event.target.closest("[data-row]");
    if (!row) return;
    places.set(event.detail.xhr, all("#events [data-row]").indexOf(row));
    marked = one(".event-text > a", row).getAttribute("href");
  });

  document.addEventListener("htmx:responseError", ({ target, detail: { xhr } }) => {
    if (!target.closest("[data-row]") || xhr.status === 401) return;
    const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
    const why = one(".failed-card b", page)?.textContent ?? "the console could not do it";
    const says = Object.assign(document.createElement("div"), { className: "banner failed", textContent: `Not marked: ${why}.` });
    one("#toast").replaceChildren(says);
  });

  // Undo loads the page anew, and goes on at what was marked.
  document.addEventListener("submit", (event) => {
    if (!marked || !event.target.elements.undo) return;
    sessionStorage.setItem("inbox-opened", marked);
    sessionStorage.setItem("inbox-back", location.pathname + location.search);
  });

  document.addEventListener("htmx:afterSettle", ({ detail: { xhr } }) => {
    const place = places.get(xhr);
    if (places.delete(xhr) && (document.activeElement === document.body || !document.activeElement)) {
      const rows = all("#events [data-row]");
      rows[Math.min(place, rows.length - 1)]?.focus({ preventScroll: true });
    }
    if (place !== undefined) afterMark();
    keepOrder();
  });

  document.addEventListener("htmx:afterSwap", ({ detail: { target, requestConfig } }) => {
    if (target.id !== "events") return;
    // Who asked for the new ones, or marked the last, goes on at the newest.
    const isLost = document.activeElement === document.body;
    const newest = one("#events [data-row]") ?? one("#events a");
    if (isLost || requestConfig.elt.closest("#news")) newest?.focus();
    one("#news").hidden = true;
    listen();
    for (const id of ["#counts", "#chart"]) window.htmx.trigger(one(id), "refresh");
    one("#events").scrollIntoView({ block: "start" });
  });

  document.addEventListener("keydown", (event) => {
    if (!isForPage(event)) return;
    const news = one("#news");
    if (event.key === "." && news && !news.hidden) one("a", news).click();
    if (event.key === "z") (one("#toast button") ?? one("form:has([name=undo]) button"))?.click();
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
