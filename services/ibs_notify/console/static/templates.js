// The editor of templates: previews while it is typed, faults at their fields, and help in writing.
// Without this a press on Preview shows the message in the frame.
"use strict";

(() => {
  const editor = document.getElementById("editor");
  if (!editor) return;
  const pane = document.getElementById("preview-pane");
  const button = document.getElementById("preview-button");
  const buttons = editor.querySelectorAll("[formtarget=preview]");
  const fields = [...editor.querySelectorAll("[data-template]")];
  let last = fields[0]; // where a variable is inserted
  for (const each of document.querySelectorAll("[data-scripted]")) each.hidden = false;

  // ---- preview: each one in a frame of its own, which takes the place of the one before when it is
  // there. So nothing flickers, and the way back of the browser does not lead through previews.

  let count = 0;
  let timer = 0;

  function preview() {
    pane.querySelectorAll("iframe.coming").forEach((each) => each.remove());
    const frame = pane.querySelector("iframe").cloneNode();
    frame.name = `preview-${++count}`;
    frame.classList.add("coming");
    frame.setAttribute("aria-hidden", "true");
    pane.append(frame);
    // Also of the one that Enter presses.
    for (const each of buttons) each.formTarget = frame.name;
    frame.addEventListener("load", () => show(frame));
    editor.requestSubmit(button);
  }

  function show(frame) {
    // Of one that gave way to a later, what was under way still arrives.
    if (!frame.isConnected) return;
    if (!frame.classList.contains("coming") || frame.contentDocument?.URL === "about:blank") return;
    const before = pane.querySelector("iframe:not(.coming)");
    const place = before?.contentDocument?.scrollingElement?.scrollTop ?? 0;
    before?.remove();
    frame.classList.remove("coming");
    frame.removeAttribute("aria-hidden");
    if (frame.contentDocument) {
      frame.contentDocument.scrollingElement.scrollTop = place;
      mark(frame.contentDocument);
    }
  }

  function soon(delay) {
    clearTimeout(timer);
    timer = setTimeout(preview, delay);
  }

  editor.addEventListener("input", (event) => {
    if (event.target.matches("[data-template]")) {
      const { name, value, defaultValue } = event.target;
      editor.querySelector(`[data-changed="${CSS.escape(name)}"]`).hidden = value === defaultValue;
      number(event.target);
      soon(400);
    }
    else if (event.target.matches("input[type=text], input:not([type])")) soon(600);
  });
  editor.addEventListener("change", (event) => {
    if (event.target.matches("[data-preview]")) soon(0);
  });
  button.addEventListener("click", (event) => {
    event.preventDefault();
    preview();
  });

  // ---- faults: what the preview found wrong, at its field, with a way to the place

  function mark(answer) {
    const found = new Map(
      [...answer.querySelectorAll("[data-field]")].map((each) => [each.dataset.field, each.dataset.text]),
    );
    for (const field of fields) {
      const text = found.get(field.name) ?? "";
      const note = editor.querySelector(`[data-fault="${CSS.escape(field.name)}"]`);
      note.textContent = text;
      field.toggleAttribute("aria-invalid", Boolean(text));
      if (text) field.setAttribute("aria-invalid", "true");
      const place = /line (\d+), column (\d+)/.exec(text);
      number(field, place ? Number(place[1]) : 0);
      if (!place) continue;
      const go = document.createElement("button");
      go.type = "button";
      go.className = "quiet small";
      go.textContent = "Go there";
      go.addEventListener("click", () => goTo(field, Number(place[1]), Number(place[2])));
      note.append(" ", go);
    }
  }

  function goTo(field, line, column) {
    const lines = field.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    const at = Math.min(start + column - 1, field.value.length);
    const end = start + (lines[line - 1] ?? "").length;
    field.focus();
    field.setSelectionRange(at, Math.max(at, end));
    const height = parseFloat(getComputedStyle(field).lineHeight) || 20;
    field.scrollTop = (line - 3) * height;
  }

  // ---- line numbers: what a fault names is marked

  function number(field, fault = 0) {
    const numbers = field.closest(".numbered")?.firstElementChild;
    if (!numbers) return;
    numbers.replaceChildren(...field.value.split("\n").map((_, place) => {
      const line = document.createElement("span");
      line.textContent = place + 1;
      line.classList.toggle("at-fault", place + 1 === fault);
      return line;
    }));
    numbers.scrollTop = field.scrollTop;
  }

  for (const field of fields) {
    number(field);
    field.addEventListener("scroll", () => { const numbers = field.previousElementSibling; if (numbers) numbers.scrollTop = field.scrollTop; });
  }

  // ---- writing

  function put(field, text) {
    field.focus();
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  editor.addEventListener("focusin", (event) => {
    const field = event.target.closest("[data-template]");
    if (!field) return;
    last = field;
    const as = editor.querySelector(`input[name="as"][value="${field.dataset.family}"]`);
    if (as && !as.checked) { as.checked = true; soon(0); }
  });

  editor.addEventListener("click", (event) => {
    const of = event.target.closest("[data-insert], [data-start]");
    if (!of) return;
    event.preventDefault(); // what begins a text needs no page for it here
    if (of.dataset.insert) { if (!last.readOnly) put(last, `{{ ${of.dataset.insert} }}`); return; }
    of.closest("details")?.removeAttribute("open");
    replace(fields.find((each) => each.name === of.dataset.start), of.dataset.text);
  });

  /** What was written comes back by the browser's own undo. */
  function replace(field, text) {
    const was = field.value.trim();
    field.focus();
    field.select();
    // The only way that leaves the undo of a field as it is.
    if (!document.execCommand(text ? "insertText" : "delete", false, text)) field.value = text;
    field.setSelectionRange(0, 0);
    field.scrollTop = 0;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    if (was) tell("Replaced. Control and Z bring back what was written.");
  }

  preview();
})();
