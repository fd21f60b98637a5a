/* SPDX-License-Identifier: GPL-2.0-or-later */
// All that the page says can be read without this: it adds read-outs, search and the choice of colours.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const THIN = "\u202f";
  const UNITS_Y = 10000;

  // Colours: as the system has them, or as the reader says.
  const root = document.documentElement;
  const names = { "": "Colours: system", light: "Colours: light", dark: "Colours: dark" };
  let theme = "";
  try { theme = localStorage.getItem("dynaccel-theme") || ""; } catch { /* a file may have no storage */ }
  const button = document.createElement("button");
  button.type = "button";
  const show = () => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    button.textContent = names[theme] ?? names[""];
  };
  button.addEventListener("click", () => {
    const order = Object.keys(names);
    theme = order[(order.indexOf(theme) + 1) % order.length];
    try { localStorage.setItem("dynaccel-theme", theme); } catch { /* likewise */ }
    show();
  });
  document.querySelector(".brand").append(button);
  show();

  // Numbers and dates as the page has them.
  const rounded = (value) => {
    const digits = value === 0 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))));
    const [whole, part] = Math.abs(value).toFixed(Math.min(digits, 9)).split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, THIN);
    const rest = (part ?? "").replace(/0+$/, "");
    return (value < 0 ? "\u2212" : "") + grouped + (rest ? "." + rest : "");
  };
  const LONG = 20 * 86400000;
  // Where a pixel is hours, a minute would be a pretence.
  const date = (ms, span) => new Date(ms).toISOString().replace("T", " ").slice(0, span > LONG ? 10 : 16);
  const day = (ms) => "day " + (Math.floor(ms / 86400000) + 1);
  const duration = (seconds) => {
    for (const [size, big, part, small] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
      if (seconds >= size) {
        const rest = Math.floor((seconds % size) / part);
        return Math.floor(seconds / size) + " " + big + (rest ? " " + rest + " " + small : "");
      }
    }
    return rounded(seconds) + " s";
  };

  // A path's points: "M x y" begins a stroke, "l dx dy ..." goes on from there.
  const points = (path) => {
    const list = [];
    for (const stroke of path.getAttribute("d").split("M").slice(1)) {
      let x = 0, y = 0;
      const numbers = stroke.match(/-?\d+/g).map(Number);
      for (let i = 0; i + 1 < numbers.length; i += 2) {
        x += numbers[i]; y += numbers[i + 1];
        list.push([x, y]);
      }
    }
    return list;
  };
  const around = (list, x) => {
    let low = 0, high = list.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (list[middle][0] <= x) low = middle; else high = middle;
    }
    return [list[low], list[high]];
  };
  const nearest = (list, x) => {
    const [before, after] = around(list, x);
    return x - before[0] <= after[0] - x ? before : after;
  };
  const between = (list, x) => {
    const [[x0, y0], [x1, y1]] = around(list, x);
    return [x, x1 > x0 ? y0 + (y1 - y0) * Math.min(1, Math.max(0, (x - x0) / (x1 - x0))) : y0];
  };

  for (const area of all(".area[data-low]")) {
    const { low, high, factor, unit, log, xKind, yKind } = area.dataset;
    const x0 = Number(area.dataset.x0), x1 = Number(area.dataset.x1), epoch = Number(area.dataset.epoch);
    const width = area.querySelector("svg").viewBox.baseVal.width;
    const cross = document.createElement("div");
    cross.className = "cross";
    const read = document.createElement("div");
    read.className = "read";
    area.append(cross, read);
    let lines;
    const value = (y) => {
      const part = 1 - y / UNITS_Y;
      const here = log ? low * (high / low) ** part : Number(low) + part * (high - low);
      if (yKind === "date") return date(epoch + here / 1e6, (high - low) / 1e6) + ", " + day(here / 1e6);
      return rounded(here / factor) + (unit ? THIN + unit : "");
    };
    const move = (event) => {
      const box = area.getBoundingClientRect();
      const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      lines ??= all("path[data-name]", area).map((path) => [path.dataset.name, points(path)]);
      const at = x0 + part * (x1 - x0);
      const said = [xKind === "real" ? duration(at / 1000) + " real" : date(epoch + at, x1 - x0) + ", " + day(at)];
      for (const [name, list] of lines) {
        if (!list.length) continue;
        const [x, y] = (yKind === "date" ? between : nearest)(list, part * width);
        if (Math.abs(x / width - part) < 0.03 || xKind === "real") said.push((name ? name + ": " : "") + value(y));
      }
      read.textContent = said.join("\n");
      read.style.left = part < 0.5 ? `calc(${part * 100}% + 0.6rem)` : "auto";
      read.style.right = part < 0.5 ? "auto" : `calc(${(1 - part) * 100}% + 0.6rem)`;
      area.classList.add("here");
      for (const other of xKind === "real" ? [area] : all('.area[data-x-kind="virtual"]')) {
        other.style.setProperty("--at", part);
        other.classList.add("hover");
      }
    };
    const leave = () => {
      area.classList.remove("here");
      for (const other of all(".area.hover")) other.classList.remove("hover");
    };
    area.addEventListener("pointermove", move);
    area.addEventListener("pointerdown", move);
    area.addEventListener("pointerleave", leave);
  }

  // Search: lines and rows that do not have the words are hidden, the words in the others marked.
  const unmark = (cell) => { if (cell.querySelector("mark")) cell.textContent = cell.textContent; };
  const mark = (cell, words) => {
    const text = cell.textContent, low = text.toLowerCase(), parts = [];
    let from = 0;
    for (let at = low.indexOf(words); at >= 0; at = low.indexOf(words, from)) {
      const found = document.createElement("mark");
      found.textContent = text.slice(at, at + words.length);
      parts.push(text.slice(from, at), found);
      from = at + words.length;
    }
    if (parts.length) cell.replaceChildren(...parts, text.slice(from));
  };
  for (const tools of all(".tools[data-search]")) {
    const box = tools.querySelector("input"), told = tools.querySelector("output");
    const scope = document.getElementById(tools.dataset.search);
    const items = all("[data-line]", scope), folds = all("details", scope), gaps = all(".gap", scope);
    const was = folds.map((fold) => fold.open);
    let wait;
    const search = () => {
      const words = box.value.trim().toLowerCase();
      let hits = 0;
      for (const item of items) {
        const cell = item.querySelector("[data-text]");
        unmark(cell);
        const hit = !words || item.textContent.toLowerCase().includes(words);
        item.hidden = !hit;
        if (hit && words) { hits += 1; mark(cell, words); }
      }
      for (const gap of gaps) gap.hidden = Boolean(words);
      folds.forEach((fold, i) => { fold.open = words ? Boolean(fold.querySelector("[data-line]:not([hidden])")) : was[i]; });
      told.textContent = words ? `${hits} of ${items.length} lines` : "";
    };
    tools.hidden = false;
    box.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(search, 120); });
    if (box.value) search();
  }

  // What a link points to is opened, and so is all for paper.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
  addEventListener("beforeprint", () => { for (const fold of all("details")) fold.open = true; });
  addEventListener("load", () => { root.dataset.ready = Math.round(performance.now()); });
})();
