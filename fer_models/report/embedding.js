"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const words = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Uint16Array.from({ length: bytes.length / 2 }, (_, n) => view.getUint16(2 * n, true));
  };
  const truth = words(data.true), predicted = words(data.predicted), sure = words(data.probability);
  const projections = Object.fromEntries(Object.entries(data.projections).map(([n, t]) => [n, words(t)]));
  const size = truth.length, pictures = data.pictures, FULL = 65535;
  const field = byId("field"), pen = field.getContext("2d"), tip = byId("tip"), form = byId("choices");
  const FACES = 220; // points in sight below which they are drawn as pictures

  const OUTERMOST = 0.002; // share of the points at each side that the first view may leave out

  // An order by chance, the same each time, so that no class covers another.
  const order = Uint32Array.from({ length: size }, (_, n) => n);
  for (let n = size - 1, seed = 1; n > 0; n--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const other = seed % (n + 1);
    [order[n], order[other]] = [order[other], order[n]];
  }

  const state = { hidden: { true: new Set(), predicted: new Set(), right: new Set() }, kept: -1, over: -1 };
  const view = { scale: 1, x: 0.5, y: 0.5 }; // the middle of what is seen, in the square of all points
  let width = 1, height = 1, inks = [], frame = 0;

  const chosen = (name) => new FormData(form).get(name);
  const color = () => chosen("color");
  const groups = () => color() === "right" ? ["right", "wrong"] : data.classes;
  const group = (n) => color() === "right" ? Number(truth[n] !== predicted[n])
    : (color() === "true" ? truth : predicted)[n];
  const points = () => projections[`${chosen("method")} ${chosen("space")}`];
  const isShown = (n) => !state.hidden[color()].has(group(n));
  const unit = () => Math.min(width, height) * 0.94 * view.scale;
  const place = (n) => {
    const all = points(), side = unit();
    return [width / 2 + (all[2 * n] / FULL - view.x) * side, height / 2 + (1 - all[2 * n + 1] / FULL - view.y) * side];
  };

  function readInks() {
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    inks = color() === "right" ? [ink("--c0"), ink("--c1")]
      : data.classes.map((_, n) => ink(`--c${n % 8}`));
    inks.edge = ink("--ink");
    inks.paper = ink("--page");
  }

  function draw() {
    frame = 0;
    const ratio = devicePixelRatio || 1;
    if (field.width !== Math.round(width * ratio) || field.height !== Math.round(height * ratio)) {
      field.width = Math.round(width * ratio);
      field.height = Math.round(height * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const seen = [];
    for (const n of order) {
      const [x, y] = place(n);
      if (x > -40 && y > -40 && x < width + 40 && y < height + 40 && isShown(n)) seen.push([n, x, y]);
    }
    if (color() === "right") seen.sort((a, b) => group(a[0]) - group(b[0]));
    if (pictures && seen.length <= FACES && view.scale > 1.5) seen.forEach(drawFace);
    else drawDots(seen);
    for (const n of [state.kept, state.over]) if (n >= 0 && isShown(n)) drawRing(n);
  }

  function drawDots(seen) {
    const radius = Math.min(7, Math.max(1.25, 120 / Math.sqrt(size)) * Math.pow(view.scale, 0.3));
    pen.globalAlpha = size > 8000 ? 0.5 : 0.78;
    const stamps = inks.map((ink) => stamp(ink, radius));
    for (const [n, x, y] of seen) {
      const dot = stamps[group(n)];
      pen.drawImage(dot, x - dot.half, y - dot.half, 2 * dot.half, 2 * dot.half);
    }
    pen.globalAlpha = 1;
  }

  function stamp(ink, radius) {
    const ratio = devicePixelRatio || 1, dot = document.createElement("canvas");
    dot.half = radius + 1;
    dot.width = dot.height = Math.ceil(2 * dot.half * ratio);
    const brush = dot.getContext("2d");
    brush.scale(dot.width / (2 * dot.half), dot.width / (2 * dot.half));
    brush.fillStyle = ink;
    brush.beginPath();
    brush.arc(dot.half, dot.half, radius, 0, 2 * Math.PI);
    brush.fill();
    return dot;
  }

  function drawFace([n, x, y]) {
    const side = 40, ready = paintPicture(pen, n, x - side / 2, y - side / 2, side, side);
    pen.lineWidth = 3;
    pen.strokeStyle = inks[group(n)];
    pen.beginPath();
    if (ready) pen.rect(x - side / 2, y - side / 2, side, side);
    else pen.arc(x, y, 5, 0, 2 * Math.PI);
    pen.stroke();
  }

  function drawRing(n) {
    const [x, y] = place(n);
    pen.lineWidth = 2;
    pen.strokeStyle = inks.edge;
    pen.fillStyle = inks[group(n)];
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
  }

  const redraw = () => { frame = frame || requestAnimationFrame(draw); };

  // Sheets of pictures are decoded when one of theirs is first looked at.
  const sheets = [];
  function paintPicture(brush, n, x, y, w, h) {
    const number = Math.floor(n / pictures.per_sheet), rest = n % pictures.per_sheet;
    if (!sheets[number]) {
      sheets[number] = new Image();
      sheets[number].onload = () => { redraw(); showTip(); };
      sheets[number].src = pictures.sheets[number];
    }
    if (!sheets[number].complete || !sheets[number].naturalWidth) return false;
    const left = (rest % pictures.columns) * pictures.step_x;
    const top = Math.floor(rest / pictures.columns) * pictures.step_y;
    brush.drawImage(sheets[number], left, top, pictures.width, pictures.height, x, y, w, h);
    return true;
  }

  function element(name, text, style) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (style) made.className = style;
    return made;
  }

  const percent = (n) => `${Math.round((100 * sure[n]) / data.probabilityLevels)}%`;
  function describe(n) {
    const is = data.classes[truth[n]], said = data.classes[predicted[n]];
    return `${data.keys[n]}: ${is}, predicted ${said} ${percent(n)}`;
  }

  function showTip() {
    const n = state.over >= 0 ? state.over : state.kept;
    tip.hidden = n < 0 || !isShown(n);
    if (tip.hidden) return;
    tip.dataset.key = data.keys[n];
    tip.replaceChildren();
    if (pictures) {
      const face = element("canvas");
      face.width = 178;
      face.height = Math.round((178 * pictures.height) / pictures.width);
      paintPicture(face.getContext("2d"), n, 0, 0, face.width, face.height);
      tip.append(face);
    }
    const line = element("div"), isRight = truth[n] === predicted[n];
    line.append(element("em", "true "), element("b", data.classes[truth[n]]));
    const guess = element("div");
    guess.append(element("em", "predicted "), element("b", data.classes[predicted[n]], isRight ? "ok" : "no"), ` ${percent(n)}`);
    tip.append(line, guess, element("div", data.keys[n], "key"));
    const [x, y] = place(n), wide = tip.offsetWidth, tall = tip.offsetHeight;
    const left = x + 18 + wide > width ? x - 18 - wide : x + 18;
    const top = Math.min(Math.max(8, y - tall / 2), height - tall - 8);
    tip.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
  }

  function look(n, { keep = false, aloud = false } = {}) {
    if (keep) state.kept = n;
    else state.over = n;
    if (aloud) byId("said").textContent = n < 0 ? "No sample there" : describe(n);
    showTip();
    redraw();
  }

  function nearest(x, y, reach) {
    let best = -1, least = reach * reach;
    for (const n of order) {
      const [px, py] = place(n), distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance <= least && isShown(n)) [best, least] = [n, distance];
    }
    return best;
  }

  function moved() {
    showTip();
    redraw();
    remember();
  }
  function zoom(factor, x = width / 2, y = height / 2) {
    const before = unit();
    view.scale = Math.min(400, Math.max(0.5, view.scale * factor));
    const change = 1 / before - 1 / unit();
    view.x += (x - width / 2) * change;
    view.y += (y - height / 2) * change;
    moved();
  }
  function move(dx, dy) {
    view.x -= dx / unit();
    view.y -= dy / unit();
    moved();
  }
  // All points, or all but the outermost, which can leave little room for the others.
  function fit(share = 0) {
    const spans = [0, 1].map((axis) => {
      const sorted = Float64Array.from({ length: size }, (_, n) => points()[2 * n + axis] / FULL).sort();
      const skipped = Math.floor(size * share);
      return [sorted[skipped], sorted[size - 1 - skipped]];
    });
    const [[left, right], [low, high]] = spans;
    const scale = Math.min(width / Math.max(right - left, 0.01), height / Math.max(high - low, 0.01));
    Object.assign(view, { x: (left + right) / 2, y: 1 - (low + high) / 2, scale: scale / Math.min(width, height) });
  }
  function showWhole() {
    fit();
    moved();
  }

  // Fingers and mouse: one moves, two zoom, a press without a move keeps a point.
  const fingers = new Map();
  let gap = 0, travelled = 0;
  const at = (event) => [event.offsetX, event.offsetY];
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  field.addEventListener("pointerdown", (event) => {
    field.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    travelled = fingers.size > 1 ? Infinity : 0;
    if (fingers.size === 2) gap = spread();
  });
  field.addEventListener("pointermove", (event) => {
    const now = at(event), last = fingers.get(event.pointerId);
    if (!last) {
      const n = nearest(...now, 16);
      field.classList.toggle("over", n >= 0);
      if (n !== state.over) look(n);
      return;
    }
    fingers.set(event.pointerId, now);
    travelled += Math.hypot(now[0] - last[0], now[1] - last[1]);
    if (fingers.size === 1 && travelled > 4) {
      field.classList.add("moving");
      move(now[0] - last[0], now[1] - last[1]);
    } else if (fingers.size === 2) {
      const [a, b] = [...fingers.values()];
      zoom(spread() / (gap || 1), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      gap = spread();
    }
  });
  const lift = (event) => {
    const was = fingers.delete(event.pointerId);
    field.classList.remove("moving");
    if (was && event.type === "pointerup" && travelled <= 4) {
      const n = nearest(...at(event), 16);
      look(n === state.kept ? -1 : n, { keep: true, aloud: true });
      remember();
    }
  };
  field.addEventListener("pointerup", lift);
  field.addEventListener("pointercancel", lift);
  field.addEventListener("pointerleave", () => { if (!fingers.size && state.over >= 0) look(-1); });
  field.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...at(event));
  }, { passive: false });

  function step(by) {
    for (let tries = 1; tries <= size; tries++) {
      const n = (((state.kept < 0 ? -Math.min(by, 0) * size : state.kept) + by * tries) % size + size) % size;
      if (isShown(n)) return look(n, { keep: true, aloud: true });
    }
    return undefined;
  }
  const KEYS = {
    ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: showWhole, n: () => step(1), p: () => step(-1),
    Enter: () => look(nearest(width / 2, height / 2, Infinity), { keep: true, aloud: true }),
    Escape: () => look(-1, { keep: true }),
  };
  field.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
    remember();
  });
  byId("in").onclick = () => zoom(1.5);
  byId("out").onclick = () => zoom(1 / 1.5);
  byId("whole").onclick = showWhole;

  function listClasses() {
    const counts = new Uint32Array(groups().length), hidden = state.hidden[color()];
    for (let n = 0; n < size; n++) counts[group(n)]++;
    byId("all").hidden = !hidden.size;
    byId("classes").replaceChildren(...groups().map((name, number) => {
      const entry = element("li"), button = element("button");
      button.type = "button";
      button.style.color = inks[number];
      button.setAttribute("aria-pressed", String(!hidden.has(number)));
      button.append(element("i"), element("span", name, "name"), element("span", counts[number].toLocaleString("en"), "count"));
      button.onclick = (event) => {
        if (event.altKey) {
          const only = hidden.size === groups().length - 1 && !hidden.has(number);
          groups().forEach((_, other) => { if (only || other === number) hidden.delete(other); else hidden.add(other); });
        } else if (!hidden.delete(number)) hidden.add(number);
        update();
        byId("classes").children[number].firstChild.focus();
      };
      entry.append(button);
      return entry;
    }));
  }
  byId("all").onclick = () => { state.hidden[color()].clear(); update(); };

  // The address holds what is looked at: a link shows another the same.
  let waiting = 0;
  function remember() {
    clearTimeout(waiting);
    waiting = setTimeout(writeAddress, 200);
  }
  function writeAddress() {
    const told = new URLSearchParams({ method: chosen("method"), space: chosen("space"), color: color() });
    if (state.hidden[color()].size) told.set("hide", [...state.hidden[color()]].join("-"));
    if (state.kept >= 0) told.set("show", data.keys[state.kept]);
    told.set("at", [view.x, view.y, view.scale].map((number) => number.toPrecision(5)).join(" "));
    history.replaceState(null, "", `#${told}`);
  }
  function recall() {
    const told = new URLSearchParams(location.hash.slice(1));
    for (const name of ["method", "space", "color"]) {
      for (const input of form.elements[name].length ? form.elements[name] : [form.elements[name]]) {
        if (input.value === told.get(name)) input.checked = true;
      }
    }
    const [x, y, scale] = (told.get("at") || "").split(" ").map(Number);
    if (scale > 0) Object.assign(view, { x, y, scale });
    else fit(OUTERMOST);
    state.hidden[color()] = new Set((told.get("hide") || "").split("-").filter(Boolean).map(Number));
    state.kept = told.has("show") ? data.keys.indexOf(told.get("show")) : -1;
    update(false);
  }

  function update(isChange = true) {
    readInks();
    listClasses();
    state.over = -1;
    showTip();
    redraw();
    if (isChange) remember();
  }
  form.addEventListener("change", (event) => {
    if (event.target.name !== "color") fit(OUTERMOST);
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => update(false));
  new ResizeObserver(() => {
    ({ clientWidth: width, clientHeight: height } = field);
    showTip();
    draw();
  }).observe(field);
  ({ clientWidth: width, clientHeight: height } = field);
  recall();
})();
