// What keeps itself current, and what is said when nobody answers. A part asks for itself by htmx
// every few seconds while the page is looked at, and at once when it is looked at again.
"use strict";

(() => {
  const isLive = (element) => element.matches?.('[hx-trigger*="every "]');
  const isRenewed = (element) => element.matches?.('[hx-trigger*="every "], [hx-trigger*="renew "]');
  const renew = () => window.htmx?.trigger(document.body, "renew");

  // ---- a part that is asked for anew keeps what is open, and where the keyboard is

  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
  const nameOf = (element) => element.getAttribute("href") ?? element.getAttribute("aria-label") ?? element.textContent.trim();
  const summaryOf = (details) => nameOf(one("summary", details) ?? details);
  const states = new WeakMap(); // by request: several parts may be renewed at once

  function stateOf(part) {
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const open = all("details[open]", part).map(summaryOf);
    return { id: part.id, open, place: all(FOCUSABLE, part).indexOf(active), name: active && nameOf(active) };
  }

  function restore(part, { open, place, name }) {
    for (const each of all("details", part)) {
      if (open.includes(summaryOf(each))) each.open = true;
    }
    if (place < 0 || part.contains(document.activeElement)) return;
    const there = all(FOCUSABLE, part);
    const alike = there.filter((each) => nameOf(each) === name);
    (alike.includes(there[place]) ? there[place] : alike[0] ?? there[place])?.focus({ preventScroll: true });
  }

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.shouldSwap && detail.requestConfig.verb === "get" && isRenewed(detail.target)) {
      states.set(detail.xhr, stateOf(detail.target));
    }
  });
  document.addEventListener("htmx:afterSettle", ({ target, detail: { xhr } }) => {
    const state = states.get(xhr);
    // What comes with the part is not the part. It may be the last, that is not asked for again.
    if (!state || target.id !== state.id) return;
    states.delete(xhr);
    // Behind what others make of the part, such as a chart.
    setTimeout(() => restore(target, state));
  });

  // ---- nothing is asked for while nobody looks

  document.addEventListener("htmx:beforeRequest", (event) => {
    const isRegular = isLive(event.target) && !event.detail.requestConfig.triggeringEvent;
    if (document.hidden && isRegular) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });

  // ---- when nobody answers: said once for the whole page, until somebody does

  const SILENT_AFTER = 5000;
  const ASK_AGAIN_WITHIN = 15000;
  const banner = one("#silence");
  const wayIn = Object.assign(document.createElement("a"), { href: "/login", target: "_blank", rel: "noopener", textContent: "Log in" });
  let heard = Date.now(); // when the console last answered
  let isUnsent = false; // somebody pressed a button meanwhile
  let isReminding = false; // and is told so, now that the console answers
  let isAsking = false;
  let renewal = 0;
  let isLeaving = false;

  function say(text, mayLogIn = false) {
    const words = one("span", banner);
    if (words.textContent !== text) words.textContent = text;
    if (mayLogIn) banner.append(wayIn);
    else wayIn.remove();
    banner.hidden = !text;
    if (text && !mayLogIn) document.body.dataset.frozen = heard;
    else delete document.body.dataset.frozen;
  }

  function clockTime(moment) {
    const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    try {
      return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: document.body.dataset.zone }).format(moment);
    } catch {
      return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" }).format(moment);
    }
  }

  function saySilent() {
    const who = navigator.onLine ? "The console does not answer" : "This machine is not connected, so the console does not answer";
    isReminding = false;
    const unsent = isUnsent ? " Nothing was sent; what you typed stays here." : "";
    say(`${who} since ${clockTime(heard + ahead)}: what is shown is of then. It is asked again by itself.${unsent}`);
    tellAges();
  }

  /** 204 where the console answers, 401 where it does to nobody it knows, else 0. */
  async function ask() {
    try {
      const answer = await fetch("/here", { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(3000) });
      return [204, 401].includes(answer.status) ? answer.status : 0;
    } catch {
      return 0;
    }
  }

  function pause(length) {
    return new Promise((wake) => {
      setTimeout(wake, length);
      addEventListener("online", wake, { once: true });
    });
  }

  async function untilAnswered() {
    if (isAsking) return;
    isAsking = true;
    let status = 0;
    for (let length = 500; !isLeaving && !(status = await ask()); length = Math.min(length * 1.5, ASK_AGAIN_WITHIN)) {
      if (!navigator.onLine || Date.now() - heard > SILENT_AFTER) saySilent();
      await pause(length);
    }
    isAsking = false;
    if (isLeaving) return;
    if (status === 401) askToLogIn();
    else if (!banner.hidden) answered();
    else askAnew();
  }

  /** What got no answer may be asked for only once, and nobody was told to look at it again. */
  function askAnew() {
    heard = Date.now();
    renewal ||= setTimeout(() => {
      renewal = 0;
      if (!document.hidden) renew();
    }, SILENT_AFTER);
  }

  function answered() {
    heard = Date.now();
    if (banner.hidden || isReminding) return;
    isReminding = isUnsent;
    say(isUnsent ? "The console answers again. What you pressed was not carried out: press it again." : "");
    delete document.body.dataset.frozen;
    tell("The console answers again.");
    renew();
  }

  for (const name of ["htmx:sendError", "htmx:timeout", "silent"]) document.addEventListener(name, untilAnswered);
  document.addEventListener("htmx:responseError", ({ detail }) => { if (detail.xhr.status >= 502) untilAnswered(); });
  document.addEventListener("htmx:afterRequest", ({ detail }) => { if (detail.successful) answered(); });
  addEventListener("offline", () => { saySilent(); untilAnswered(); });
  addEventListener("pagehide", () => { isLeaving = true; });
  addEventListener("pageshow", ({ persisted }) => {
    isLeaving = false;
    sent = null;
    if (persisted) renew();
  });

  // ---- what was typed is lost neither to a page of the browser nor to a login

  const typedIn = new WeakSet();
  const isTypedIn = () => all('form[method="post"]').some((form) => typedIn.has(form));
  document.addEventListener("input", ({ target }) => { if (target.form) typedIn.add(target.form); });

  function askToLogIn() {
    if (isTypedIn()) say("You are not logged in any more. What you typed stays here: log in, and then send it.", true);
    else location.reload();
  }

  // Else a part that is asked for in vain would load the whole page anew.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401 || !isTypedIn()) return;
    event.preventDefault();
    askToLogIn();
  });

  const SENT_FOR = 15000; // so long a form that is sent is not sent again; who stopped it may then
  const reached = new WeakSet();
  let sent = null; // the form whose answer is the next page
  const waiting = new WeakSet(); // forms, and buttons whose answer goes to a frame beside them

  async function reach(form, button, what) {
    waiting.add(what);
    const status = await ask();
    waiting.delete(what);
    if (status === 204) {
      isUnsent = isReminding = false;
      reached.add(form);
      // The part that it was in may be renewed by now.
      if (!form.isConnected) document.body.append(Object.assign(form, { hidden: true }));
      form.requestSubmit(button);
      return;
    }
    typedIn.add(form);
    if (status === 401) {
      askToLogIn();
      return;
    }
    isUnsent = true;
    saySilent();
    banner.scrollIntoView({ block: "nearest" });
    untilAnswered();
  }

  window.reaching = {
    /** Whether the form is being sent because the console was just reached. */
    wasReached({ target: form, submitter }) {
      if (!reached.delete(form)) return false;
      if (submitter?.formTarget) return true;
      sent = form;
      setTimeout(() => { if (sent === form) sent = null; }, SENT_FOR);
      return true;
    },
    /** Whether the form is sent later, if the console is reached. */
    isToBeReached({ target: form, submitter }) {
      if (form.getAttribute("method") !== "post" || submitter?.formTarget === "_blank") return false;
      const what = submitter?.formTarget ? submitter : form;
      if (what === sent) {
        tell("It is being sent already.");
        return true;
      }
      if (!waiting.has(what)) reach(form, submitter, what);
      return true;
    },
  };
})();
