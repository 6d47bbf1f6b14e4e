// What charts are made of: words, colours and shapes. charts.js puts them together.
"use strict";

window.chartParts = (() => {
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

  // --- Words -----------------------------------------------------------------------------------------------------

  const two = (value) => (Math.abs(value) < 10 ? Number(value.toPrecision(2)) : Math.round(value));

  function duration(ms) {
    if (ms < 1000) return `${two(ms)} ms`;
    for (const [size, unit] of [[86400e3, "d"], [3600e3, "h"], [60e3, "m"]]) if (ms >= size) return `${two(ms / size)} ${unit}`;
    return `${two(ms / 1000)} s`;
  }

  const units = {
    count: (value) => (value >= 10000 ? `${two(value / 1000)}k` : String(two(value))),
    ms: duration,
    seconds: (value) => duration(value * 1000),
    percent: (value) => `${Math.round(value * 100)} %`,
    factor: (value) => `×${Number(value.toPrecision(3))}`,
  };

  const pad = (number) => String(number).padStart(2, "0");
  const day = (at) => `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
  const clock = (at) => `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
  const moment = (seconds) => ((at) => `${day(at)} ${clock(at)}`)(new Date(seconds * 1000));
  const clockTicks = (plot, splits, axis, space, step) =>
    splits.map((seconds) => (step >= 86400 ? day : clock)(new Date(seconds * 1000)));

  // --- Colours: as the style sheet has them now, whatever theme is chosen ----------------------------------------

  const probe = document.createElement("span");
  probe.className = "hidden";

  function colour(name) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  }

  // --- Shapes ----------------------------------------------------------------------------------------------------

  function dots(diamond) {
    return (plot, index, first, last) => {
      const size = 3.4 * devicePixelRatio;
      const fill = new Path2D();
      for (let at = first; at <= last; at += 1) {
        const value = plot.data[index][at];
        if (value == null) continue;
        const x = plot.valToPos(plot.data[0][at], "x", true);
        const y = plot.valToPos(value, "y", true);
        if (diamond) {
          fill.moveTo(x, y - size * 1.3);
          for (const [right, down] of [[1.3, 0], [0, 1.3], [-1.3, 0]]) fill.lineTo(x + right * size, y + down * size);
          fill.closePath();
        } else {
          fill.moveTo(x + size, y);
          fill.arc(x, y, size, 0, 2 * Math.PI);
        }
      }
      return { stroke: null, fill, clip: null, flags: 1 };
    };
  }

  // Of a logarithmic axis: a line for each power of ten.
  const powersOnly = (plot, splits) => splits.map((value) => (Math.abs(Math.log10(value) % 1) < 1e-9 ? value : null));

  return { clockTicks, colour, dots, moment, powersOnly, units };
})();
