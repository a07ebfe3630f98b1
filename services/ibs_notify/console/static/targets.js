// A test shows each stage as it happens: the page answers a line of JSON for each thing that is heard.
// Without this script the same button opens a page with all of them.
"use strict";

(() => {
  function element(name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `#i-${name}`);
    svg.append(use);
    return svg;
  }

  function banner(kind, text, advice = "") {
    const made = element("div", `banner ${kind}`);
    const words = element("div", "");
    words.append(element("b", "", text));
    if (advice) words.append(document.createElement("br"), advice);
    made.append(icon(kind), words);
    return made;
  }

  function began(list, name) {
    const item = element("li", "running");
    item.append(element("span", "dot"), element("b", "", name), element("span", "stage-time", "…"));
    list.append(item);
  }

  function ended(list, stage) {
    const item = element("li", stage.ok ? "good" : "bad");
    item.append(
      icon(stage.ok ? "done" : "failed"),
      element("b", "", stage.name),
      element("span", "stage-time", stage.time),
      element("span", "stage-detail", stage.detail),
    );
    const running = list.querySelector(".running");
    if (running) running.replaceWith(item);
    else list.append(item);
  }

  // A draft that is not even tried: each fault at its field, as after Save.
  function refused(panel, news) {
    panel.append(banner("failed", news.summary, news.advice));
    const faults = element("ul", "plain");
    for (const [name, text] of Object.entries(news.fields)) {
      const field = document.getElementById(`f-${name}`);
      const label = field && document.querySelector(`label[for="${field.id}"]`);
      const item = element("li", "");
      item.append(element("b", "", label ? label.firstChild.textContent.trim() : name), ` ${text}`);
      faults.append(item);
      field?.setAttribute("aria-invalid", "true");
    }
    panel.append(faults);
  }

  function show(panel, list, news) {
    if (news.began) began(list, news.began);
    else if (news.ended) ended(list, news.ended);
    else if (news.refused) refused(panel, news.refused);
    else if (news.result) panel.append(banner(news.result.ok ? "done" : "failed", news.result.summary));
  }

  async function* linesOf(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      yield* lines.filter(Boolean);
    }
  }

  let running = null;

  async function test(button) {
    if (button.ariaDisabled) return;
    const panel = document.getElementById(button.dataset.test);
    const list = element("ol", "stages");
    panel.replaceChildren(list);
    for (const field of button.form.elements) field.removeAttribute("aria-invalid");
    running = new AbortController();
    button.ariaDisabled = "true"; // one that is disabled would lose the focus
    try {
      const answer = await fetch(button.formAction, {
        method: "POST",
        headers: { Accept: "application/x-ndjson" },
        body: new URLSearchParams(new FormData(button.form)),
        signal: running.signal,
      });
      if (!answer.headers.get("Content-Type")?.startsWith("application/x-ndjson")) {
        panel.append(banner("failed", "The console does not take this test.", "Load the page again."));
        return;
      }
      for await (const line of linesOf(answer.body)) show(panel, list, JSON.parse(line));
    } catch {
      if (list.isConnected) panel.append(banner("failed", "The console does not answer."));
    } finally {
      button.ariaDisabled = null;
    }
  }

  // Enter in a field of the test runs the test; without this it would save.
  document.addEventListener("keydown", (event) => {
    const button = event.key === "Enter" && event.target.closest(".test-panel input") && document.querySelector("[data-test]");
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  // What was tried is not what stands there any more.
  document.addEventListener("input", (event) => {
    const button = document.querySelector("[data-test]");
    if (!button || button.disabled || event.target.form !== button.form) return;
    document.getElementById(button.dataset.test).replaceChildren();
    running?.abort();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-test]");
    if (!button) return;
    event.preventDefault();
    test(button);
  });
})();
