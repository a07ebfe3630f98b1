// Charts: uPlot in the place of the drawing that the server made, of the same numbers. Dragging over
// a stretch leads to what happened in it; so does a click, or the arrow keys and Enter.
"use strict";

(() => {
  if (!window.uPlot) return;

  const drawn = new Set();

  /** The colours of the legend, which are those of the theme. */
  function colours(figure, layers) {
    return layers.map(({ key }) => {
      const sample = figure.querySelector(`.key.series-${key}`);
      return sample ? getComputedStyle(sample).getPropertyValue("fill") : "gray";
    });
  }

  function stacked(layers) {
    const sums = layers[0].values.map(() => 0);
    return layers.map(({ values }) => values.map((value, place) => (sums[place] += value)));
  }

  function formatter(zone) {
    const options = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    try {
      return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone });
    } catch {
      return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" });
    }
  }

  const DAY = 82800; // the shortest

  function stamp(seconds) {
    return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
  }

  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.of = JSON.parse(figure.dataset.chart);
      this.zone = formatter(figure.dataset.zone);
      this.height = Number(figure.dataset.height);
      this.place = figure.querySelector(".chart-plot");
      this.readout = figure.querySelector(".chart-readout");
      this.current = null;
      this.draw();
      this.watch();
    }

    draw() {
      const { edges, layers } = this.of;
      const style = getComputedStyle(this.figure);
      const fills = colours(this.figure, layers);
      // uPlot draws one series over the other: the highest sum first.
      const order = layers.map((_, place) => place).reverse();
      const sums = stacked(layers);
      const bars = window.uPlot.paths.bars({ size: [1, 48], gap: 1, align: 1 });
      const axis = { stroke: style.color, font: `12px ${style.fontFamily}`, ticks: { show: false } };
      const zoneOf = this.zone.resolvedOptions().timeZone;
      this.plot?.destroy();
      this.place.replaceChildren();
      this.plot = new window.uPlot({
        width: this.place.clientWidth,
        height: this.height,
        legend: { show: false },
        tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), zoneOf),
        padding: [8, 20, 0, 0],
        cursor: { y: false, points: { show: false }, drag: { setScale: false, x: Boolean(this.of.address) } },
        scales: {
          x: { range: () => [edges[0], edges.at(-1)] },
          y: { range: (_plot, _low, high) => [0, Math.max(high, 1) * 1.05] },
        },
        series: [
          {},
          ...order.map((place) => ({ fill: fills[place], width: 0, paths: bars, points: { show: false } })),
        ],
        axes: [
          { ...axis, grid: { show: false }, size: this.height > 100 ? 28 : 22, space: 64, values: (_plot, splits) => this.labels(splits) },
          { ...axis, grid: { stroke: style.borderColor, width: 1 }, size: 46, space: this.height / 4,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] },
        ],
        hooks: { setSelect: [() => this.selected()], setCursor: [() => this.pointedAt()] },
      }, [edges.slice(0, -1), ...order.map((place) => sums[place])], this.place);
      const over = this.plot.over;
      over.tabIndex = 0;
      over.setAttribute("role", "group");
      over.setAttribute("aria-label", `${this.figure.dataset.title}: left and right move through time, Enter shows what happened then`);
      over.addEventListener("keydown", (event) => this.key(event));
      over.addEventListener("click", () => { if (!this.wasDragged) this.open(this.current, this.current); this.wasDragged = false; });
    }

    /** The day at its beginning, else the hour; nothing of where the chart ends. */
    labels(splits) {
      const end = this.of.edges.at(-1);
      return splits.map((seconds) => {
        if (seconds >= end) return "";
        const [day, hour] = this.zone.format(seconds * 1000).split(", ");
        return hour === "00:00" ? day : hour;
      });
    }

    watch() {
      this.size = new ResizeObserver(() => {
        const width = this.place.clientWidth;
        if (width && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
      });
      this.size.observe(this.place);
    }

    spanAt(left) {
      const { edges } = this.of;
      const moment = this.plot.posToVal(left, "x");
      return Math.max(edges.slice(0, -1).findLastIndex((edge) => edge <= moment), 0);
    }

    pointedAt() {
      const left = this.plot?.cursor.left;
      if (left === undefined || left < 0) return;
      this.show(this.spanAt(left));
    }

    show(place) {
      const { layers } = this.of;
      this.current = place;
      const counts = layers.filter(({ values }) => values[place]).map(({ label, values }) => `${values[place].toLocaleString("en")} ${label}`);
      this.readout.textContent = `${this.span(place)}: ${counts.join(", ") || "nothing"}`;
    }

    /** In words: a day by its date, else from when until when. */
    span(place) {
      const [start, end] = this.of.edges.slice(place, place + 2);
      const [day, hour] = this.zone.format(start * 1000).split(", ");
      return hour === "00:00" && end - start >= DAY && end - start < 2 * DAY ? day : `${day}, ${hour} – ${this.zone.format(end * 1000)}`;
    }

    selected() {
      const { left, width } = this.plot.select;
      if (width < 4) return;
      this.wasDragged = true;
      this.open(this.spanAt(left), this.spanAt(left + width - 1));
    }

    open(first, last) {
      const { edges, address } = this.of;
      if (!address || first === null) return;
      const url = new URL(address, location.href);
      url.searchParams.set("after", stamp(edges[first]));
      url.searchParams.set("before", stamp(edges[last + 1]));
      location.assign(url);
    }

    key(event) {
      const end = this.of.edges.length - 2;
      const from = this.current ?? end + 1;
      const moves = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: end };
      if (event.key in moves) {
        const place = Math.min(Math.max(moves[event.key], 0), end);
        const middle = (this.of.edges[place] + this.of.edges[place + 1]) / 2;
        this.plot.setCursor({ left: this.plot.valToPos(middle, "x"), top: 10 });
        this.show(place);
      } else if (event.key === "Enter" && this.current !== null) {
        this.open(this.current, this.current);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }

    get isGone() {
      return !this.figure.isConnected;
    }

    forget() {
      this.size.disconnect();
      this.plot.destroy();
    }
  }

  function start() {
    for (const each of drawn) {
      if (each.isGone) {
        each.forget();
        drawn.delete(each);
      }
    }
    const known = new Set([...drawn].map((each) => each.figure));
    for (const figure of document.querySelectorAll("[data-chart]")) {
      if (!known.has(figure)) drawn.add(new Chart(figure));
    }
  }

  function redraw() {
    for (const each of drawn) each.draw();
  }

  start();
  document.body.addEventListener("htmx:afterSettle", start);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
})();
