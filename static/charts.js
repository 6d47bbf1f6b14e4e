// Draws what the page says in numbers: each [data-plot] names the JSON beside it. uPlot does the drawing.
"use strict";

(() => {
  const { clockTicks, colour, dots, moment, powersOnly, units } = window.chartParts;
  const root = document.documentElement;
  const HEIGHT = 200;
  const NEAR = 14;
  const plots = new Map();

  // On top of each other: what is drawn first is the sum of all.
  function columns(data) {
    if (data.kind !== "stacked") return data.lines.map((line) => line.values);
    let below = data.x.map(() => 0);
    const sums = data.lines.map((line) => (below = below.map((sum, place) => sum + (line.values[place] ?? 0))));
    return sums.reverse();
  }

  function seriesOf(data, line) {
    const raw = (plot, value, index, place) => {
      const own = place == null ? null : line.values[place];
      return own == null ? "–" : units[data.unit](own);
    };
    const shared = { label: line.label, stroke: colour(line.tone), width: 1.6, value: raw };
    if (data.kind === "dots") return { ...shared, alpha: 0.75, fill: colour(line.tone), points: { show: false }, paths: dots(line.diamond) };
    if (data.kind === "lines") {
      return { ...shared, ...(line.dashed && { dash: [5, 5] }), points: { size: 4, fill: colour(line.tone) }, spanGaps: false };
    }
    return { ...shared, fill: colour(line.tone), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 60], align: data.timed ? 1 : 0 }) };
  }

  // --- What lies over a chart: marks of what happened, and the line of what is equal -----------------------------

  function marks() {
    const box = document.getElementById("chart-marks");
    return box ? JSON.parse(box.textContent) : [];
  }

  function overlay(plot, data) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("muted");
    ctx.fillStyle = colour("muted");
    ctx.lineWidth = devicePixelRatio;
    ctx.font = `${10 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    if (data.ideal) {
      const low = Math.max(plot.scales.x.min, plot.scales.y.min);
      const high = Math.min(plot.scales.x.max, plot.scales.y.max);
      ctx.beginPath();
      ctx.moveTo(plot.valToPos(low, "x", true), plot.valToPos(low, "y", true));
      ctx.lineTo(plot.valToPos(high, "x", true), plot.valToPos(high, "y", true));
      ctx.stroke();
    }
    let free = Infinity;
    for (const mark of data.timed ? marks() : []) {
      const x = plot.valToPos(mark.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(mark.text).width + 6 * devicePixelRatio;
      if (x - width > bbox.left && x < free) {
        ctx.fillText(mark.text, x - width + 3 * devicePixelRatio, bbox.top + 9 * devicePixelRatio);
        free = x - width;
      }
    }
    ctx.restore();
  }

  // --- Dots are links --------------------------------------------------------------------------------------------

  function nearest(plot, data, left, top) {
    let found = null;
    let best = NEAR;
    data.x.forEach((x, place) => {
      const value = data.lines.map((line) => line.values[place]).find((one) => one != null);
      if (value == null) return;
      const away = Math.hypot(plot.valToPos(x, "x") - left, plot.valToPos(value, "y") - top);
      if (away < best) [best, found] = [away, place];
    });
    return found;
  }

  function linked(plot, box) {
    const at = (event) => {
      const data = plots.get(box).data;
      const area = plot.over.getBoundingClientRect();
      return data.links[nearest(plot, data, event.clientX - area.left, event.clientY - area.top)];
    };
    plot.over.addEventListener("mousemove", (event) => plot.over.classList.toggle("on-dot", Boolean(at(event))));
    plot.over.addEventListener("click", (event) => {
      const link = at(event);
      if (link) location.href = link;
    });
  }

  // --- Drawing ---------------------------------------------------------------------------------------------------

  function axis(log, more) {
    const grid = { stroke: colour("line"), width: 1, ...(log && { filter: powersOnly }) };
    return { stroke: colour("muted"), font: "11px system-ui, sans-serif", grid, ticks: { ...grid, size: 4 }, ...more };
  }

  function options(box, data) {
    const write = units[data.unit];
    const lines = data.kind === "stacked" ? [...data.lines].reverse() : data.lines;
    const most = (plot, low, high) => [0, Math.max(high ?? 0, 1) * 1.08];
    const around = (plot, low, high) => (data.log ? uPlot.rangeLog(low ?? 1, high ?? 1000, 10, true) : most(plot, low, high));
    const unit = data.words ? (value) => data.words[value] ?? "" : write;
    return {
      width: Math.max(box.clientWidth, 120),
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      cursor: { ...(data.timed && { sync: { key: "time" } }), drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: data.timed ? { time: true, range: () => data.span ?? [data.x[0], data.x.at(-1)] }
          : data.words ? { time: false, range: [-0.7, data.words.length - 0.3] }
          : { time: false, distr: 3, range: around },
        y: { distr: data.log ? 3 : 1, range: around },
      },
      axes: [
        axis(data.log && !data.timed, { values: data.timed ? clockTicks : (plot, splits) => splits.map((value) => (value == null ? "" : unit(value))), size: 28, space: 60, ...(data.words && { incrs: [1, 2, 4, 8] }) }),
        axis(data.log, { values: (plot, splits) => splits.map((value) => (value == null ? "" : write(value))), size: 58 }),
      ],
      series: [{ label: data.timed ? "UTC" : "", value: (plot, value) => (value == null ? "–" : data.timed ? moment(value) : unit(value)) }, ...lines.map((line) => seriesOf(data, line))],
      legend: { live: data.kind !== "dots" },
      hooks: { draw: [(plot) => overlay(plot, plots.get(box)?.data ?? data)] },
    };
  }

  function draw(box) {
    const text = document.getElementById(box.dataset.plot).textContent;
    const known = plots.get(box);
    if (known?.text === text) return;
    const data = JSON.parse(text);
    box.setAttribute("aria-label", data.summary);
    known?.plot.destroy();
    const plot = new uPlot(options(box, data), [data.x, ...columns(data)], box);
    plots.set(box, { plot, data, text });
    box.plot = plot;
    if (data.links.length) linked(plot, box);
    watch.observe(box);
  }

  const watch = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      const width = Math.max(target.clientWidth, 120);
      const plot = plots.get(target)?.plot;
      if (plot && plot.width !== width) plot.setSize({ width, height: HEIGHT });
    }
  });

  function drawAll(anew) {
    for (const [box, { plot }] of plots) {
      if (box.isConnected && !anew) continue;
      plot.destroy();
      plots.delete(box);
    }
    for (const box of document.querySelectorAll("[data-plot]")) draw(box);
  }

  document.addEventListener("DOMContentLoaded", () => {
    // What is drawn is the script's: a refresh brings new numbers beside it.
    if (window.Idiomorph) {
      Idiomorph.defaults.callbacks.beforeNodeMorphed = (old, fresh) =>
        !(old.dataset?.plot && fresh.dataset?.plot === old.dataset.plot);
    }
    drawAll();
    document.addEventListener("htmx:afterSettle", () => drawAll());
    new MutationObserver(() => drawAll(true)).observe(root, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
  });
})();
