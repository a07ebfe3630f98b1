// The rule workshop: what the services say of a rule while it is being written. The textarea stays
// the control; the colours lie behind it. Places are UTF-16 units, as browsers count.
"use strict";

(() => {
  const ANALYZE_MS = 120;
  const SETTLE_MS = 450;
  const SCOPE = "[name=scope], [name=attachments], [name=attach_more], [name=name], [name=digest]";

  class RuleField {
    constructor(root) {
      this.root = root;
      this.area = root.querySelector("textarea");
      this.paintLayer = root.querySelector(".rule-paint");
      this.list = root.querySelector(".rule-choices");
      this.verdict = root.querySelector(".rule-verdict");
      this.matches = root.querySelector(".rule-matches");
      this.tokens = [];
      this.painted = "";
      this.fault = null;
      this.answer = null;
      this.active = -1;
      const isShown = this.matches?.querySelector(".rule-found, .rule-none");
      this.matched = isShown ? this.area.value.trim() : null;
      root.querySelector(".rule-check")?.remove(); // it would be the form's default button
      root.classList.add("is-live");
      this.area.setAttribute("aria-autocomplete", "list");
      this.area.setAttribute("aria-controls", this.list.id);
      this.area.addEventListener("input", () => this.changed(true));
      this.area.addEventListener("keydown", (event) => this.key(event));
      this.area.addEventListener("click", () => { this.close(); this.later(ANALYZE_MS, true); });
      this.area.addEventListener("focus", () => this.settle());
      this.area.addEventListener("blur", () => { this.close(); this.later(ANALYZE_MS, false); });
      this.list.addEventListener("mousedown", (event) => {
        event.preventDefault(); // the field keeps the focus
        const option = event.target.closest("[role=option]");
        if (option) this.accept(Number(option.dataset.index));
      });
      // A fix may be offered elsewhere on the page too, by what looks at the rule in another way.
      document.addEventListener("click", (event) => {
        const fix = event.target.closest("[data-rule-fix]");
        if (!fix || !(this.verdict.contains(fix) || fix.dataset.ruleOf === this.area.id)) return;
        event.preventDefault();
        this.area.focus();
        this.area.select();
        this.insert(fix.dataset.ruleFix);
      });
      this.area.form?.addEventListener("change", (event) => {
        const isItsTarget = event.target.matches("[name^=target-]") && root.contains(event.target);
        if (isItsTarget || event.target.matches(SCOPE)) this.rescope();
      });
      this.area.form?.addEventListener("reset", () => setTimeout(() => this.changed(false)));
      this.watch();
      if (!this.area.value) this.paint();
      else this.changed(false);
    }

    // Beside the field there is a place for the events, which is filled once it comes into view.
    watch() {
      if (!this.root.matches(".is-beside") || !matchMedia("(min-width: 1100px)").matches) return;
      const sight = new IntersectionObserver(([entry]) => {
        if (!entry.isIntersecting) return;
        sight.disconnect();
        this.isSeen = true;
        this.settle();
      });
      sight.observe(this.root);
    }

    // ---- asking

    changed(offers) {
      this.shiftTokens();
      this.paint();
      this.close();
      this.later(offers ? ANALYZE_MS : 0, offers);
    }

    later(milliseconds, offers) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(offers), milliseconds);
    }

    async ask(offers) {
      this.request?.abort();
      this.request = new AbortController();
      const rule = this.area.value;
      // Nothing is being written where the field has not the focus.
      const position = document.activeElement === this.area ? this.area.selectionEnd : 0;
      const body = new URLSearchParams({ rule, position });
      try {
        const response = await fetch("/rules/analyze", {
          method: "POST", body, signal: this.request.signal, headers: csrf(),
        });
        if (!response.ok) return;
        const answer = await response.json();
        if (rule !== this.area.value) return;
        this.take(answer, rule, offers);
      } catch (error) {
        if (error.name !== "AbortError") this.verdict.textContent = this.shownVerdict = "";
      }
    }

    take(answer, rule, offers) {
      this.answer = answer;
      this.tokens = answer.tokens;
      this.painted = rule;
      this.fault = answer.fault;
      if (this.shownVerdict !== answer.verdict) this.verdict.innerHTML = answer.verdict; // escaped by the server
      this.shownVerdict = answer.verdict;
      const empty = !rule.trim();
      if (answer.fault !== null && !empty) this.area.setAttribute("aria-invalid", "true");
      else this.area.removeAttribute("aria-invalid");
      this.paint();
      if (offers && document.activeElement === this.area) this.open();
      this.settle();
    }

    // The matching events, once nobody has typed for a moment.
    settle() {
      clearTimeout(this.settling);
      const rule = this.area.value.trim();
      if (!this.matches || rule === this.matched) return;
      this.matches.classList.add("is-stale");
      const isLookedAt = this.isSeen || document.activeElement === this.area;
      if (!isLookedAt || !this.answer?.right || !rule) return;
      this.settling = setTimeout(() => {
        if (rule !== this.area.value.trim()) return; // somebody types on
        this.matched = rule;
        this.matches.classList.remove("is-stale");
        this.matches.dispatchEvent(new Event("rule-settled"));
      }, SETTLE_MS);
    }

    // What is shown is of another scope, or target, now. Not yet seen, it is asked for when it is.
    rescope() {
      if (!this.matches || this.matched === null) return;
      if (this.matched !== this.area.value.trim()) this.matched = null;
      else this.matches.dispatchEvent(new Event("rule-settled"));
    }

    // ---- colours

    // Until the answer comes, what did not change keeps its colour.
    shiftTokens() {
      const before = this.painted, after = this.area.value;
      const most = Math.min(before.length, after.length);
      let same = 0, end = 0;
      while (same < most && before[same] === after[same]) same += 1;
      while (end < most - same && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
      const shift = after.length - before.length;
      this.tokens = this.tokens.flatMap(([kind, from, to]) => {
        if (to <= same) return [[kind, from, to]];
        if (from >= before.length - end) return [[kind, from + shift, to + shift]];
        return [];
      });
      this.painted = after;
      this.fault = null;
    }

    paint() {
      const text = this.area.value;
      const parts = document.createDocumentFragment();
      let place = 0;
      for (const [kind, from, to] of this.tokens) {
        if (from > place) parts.append(text.slice(place, from));
        const part = document.createElement("span");
        part.className = `token-${kind}`;
        part.textContent = text.slice(from, to);
        parts.append(part);
        place = to;
      }
      parts.append(text.slice(place));
      // A line end at the end of a pre is not shown, and a fault at the end has no character.
      const tail = document.createElement("span");
      if (this.fault !== null && text.trim() && this.fault >= text.trimEnd().length) tail.className = "token-missing";
      tail.textContent = "\u200b ";
      parts.append(tail);
      this.paintLayer.replaceChildren(parts);
    }

    // ---- completions

    open() {
      const { completions, start } = this.answer;
      this.active = -1;
      if (!completions.length || this.area.selectionStart !== this.area.selectionEnd) return this.close();
      const written = this.area.value.slice(start, this.area.selectionEnd);
      this.list.replaceChildren(...completions.map(([text, kind, meaning], index) => {
        const option = document.createElement("li");
        option.id = `${this.list.id}-${index}`;
        option.setAttribute("role", "option");
        option.dataset.index = index;
        const word = document.createElement("span");
        word.className = `code token-${kind}`;
        word.textContent = text;
        const say = document.createElement("span");
        say.className = "muted";
        say.textContent = meaning;
        option.append(word, " ", say);
        return option;
      }));
      this.list.hidden = false;
      this.list.scrollTop = 0;
      this.place(start);
      if (written) this.activate(0);
      tell(`${completions.length} ${completions.length === 1 ? "suggestion" : "suggestions"}`);
      return undefined;
    }

    // Below the word that is being written, and below what is wrong with it.
    place(start) {
      const frame = this.list.parentElement.getBoundingClientRect();
      const at = this.rectOf(start);
      const isWrong = one(".rule-fault, .rule-warning, .rule-fix", this.verdict);
      const bottom = isWrong ? this.verdict.getBoundingClientRect().bottom : at.bottom;
      const most = Math.max(frame.width - this.list.offsetWidth, 0);
      this.list.style.left = `${Math.min(Math.max(at.left - frame.left, 0), most)}px`;
      this.list.style.top = `${bottom - frame.top + 4}px`;
    }

    rectOf(place) {
      const walker = document.createTreeWalker(this.paintLayer, NodeFilter.SHOW_TEXT);
      let left = place;
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (left <= node.length) {
          const range = document.createRange();
          range.setStart(node, left);
          range.setEnd(node, Math.min(left + 1, node.length));
          return range.getBoundingClientRect();
        }
        left -= node.length;
      }
      return this.area.getBoundingClientRect();
    }

    close() {
      this.list.hidden = true;
      this.active = -1;
      this.area.removeAttribute("aria-activedescendant");
    }

    activate(index) {
      const options = [...this.list.children];
      this.active = (index + options.length) % options.length;
      for (const [number, option] of options.entries()) option.setAttribute("aria-selected", number === this.active);
      const option = options[this.active];
      option.scrollIntoView({ block: "nearest" });
      this.area.setAttribute("aria-activedescendant", option.id);
    }

    accept(index) {
      const { completions, end, start } = this.answer;
      const [text, kind] = completions[index];
      const goesOn = kind === "value" || /[(.]$/.test(text) || /^\s/.test(this.area.value.slice(end));
      this.area.setSelectionRange(start, end);
      this.insert(goesOn ? text : `${text} `);
    }

    insert(text) {
      // As if it was typed, so that it can be undone.
      if (!document.execCommand("insertText", false, text)) {
        this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
        this.changed(true);
      }
    }

    key(event) {
      if (event.isComposing) return;
      if (event.key === " " && event.ctrlKey) {
        event.preventDefault();
        this.later(0, true);
        return;
      }
      if (this.list.hidden) return;
      switch (event.key) {
        case "ArrowDown": this.activate(this.active + 1); break;
        case "ArrowUp": this.activate(this.active < 0 ? -1 : this.active - 1); break;
        case "Escape": this.close(); break;
        case "Enter":
        case "Tab":
          if (this.active < 0 || event.shiftKey) { this.close(); return; }
          this.accept(this.active);
          break;
        default: return;
      }
      event.preventDefault();
      event.stopPropagation();
    }
  }

  function csrf() {
    return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}");
  }

  function setUp(inside) {
    for (const root of all("[data-rule-field]:not(.is-live)", inside)) new RuleField(root);
  }

  setUp(document);
  document.addEventListener("htmx:load", (event) => setUp(event.target));
})();
