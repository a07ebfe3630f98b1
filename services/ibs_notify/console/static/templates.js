// The editor of templates: previews while it is typed, faults at their fields, and help in writing.
// Without this a press on Preview shows the message in the frame.
"use strict";

(() => {
  const editor = document.getElementById("editor");
  if (!editor) return;
  const pane = document.getElementById("preview-pane");
  const button = document.getElementById("preview-button");
  const builtins = JSON.parse(document.getElementById("builtin-texts").textContent);
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
    button.formTarget = frame.name;
    frame.addEventListener("load", () => show(frame));
    editor.requestSubmit(button);
  }

  function show(frame) {
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

  // ---- writing

  function put(field, text) {
    field.focus();
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  let leaving = false; // Esc was pressed: the next Tab moves on

  editor.addEventListener("keydown", (event) => {
    const field = event.target.closest("[data-template]");
    if (!field || field.readOnly) return;
    if (event.key === "Escape") { leaving = true; return; }
    if (event.key === "Tab" && !leaving && !event.shiftKey && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      put(field, "  ");
    }
    leaving = false;
  });

  editor.addEventListener("focusin", (event) => {
    const field = event.target.closest("[data-template]");
    if (!field) return;
    leaving = false;
    last = field;
    const as = editor.querySelector(`input[name="as"][value="${field.dataset.family}"]`);
    if (as && !as.checked) { as.checked = true; soon(0); }
  });

  editor.addEventListener("click", (event) => {
    const of = event.target.closest("[data-insert], [data-start], [data-clear]");
    if (!of) return;
    if (of.dataset.insert) { if (!last.readOnly) put(last, `{{ ${of.dataset.insert} }}`); return; }
    const name = of.dataset.start ?? of.dataset.clear;
    const field = fields.find((each) => each.name === name);
    const text = of.dataset.start ? builtins[name] : "";
    if (field.value.trim() && field.value !== text && !window.confirm("Replace what is written there?")) return;
    field.value = text;
    field.focus();
    field.setSelectionRange(0, 0);
    field.scrollTop = 0;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  preview();
})();
