// The map of words: draws them, zooms, moves, tells which one is pointed at.
"use strict";

// `root` holds the canvas, `words` what there is to draw (see words.js), and
// `choose(word)` is called with a word that is clicked, or -1.
// Returns `select(word, move)`, which shows a word and its neighbours.
function wordMap(root, words, choose) {
const FARTHEST = 0.6, CLOSEST = 60; // zoom; 1 is the whole map
const FIRST = 2000; // words that the whole map shows; more when closer
const REACH = 14; // pixels from the pointer to a word
const FONT = "12px system-ui, sans-serif";
const BOLD = "600 13px system-ui, sans-serif";
const SIDES = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [-1, -1], [1, 1],
  [-1, 1], [0, -2], [0, 2], [1, -2], [1, 2], [-1, -2], [-1, 2]];

const { texts, places, listed } = words;
const canvas = root.querySelector("canvas"), pen = canvas.getContext("2d");
const hint = root.querySelector(".hint");
let chosen = -1, found = []; // word whose neighbours are shown, and these
let over = -1; // word under the pointer

function select(word, move) {
  chosen = word;
  found = word < 0 ? [] : words.near(word).map(([other]) => other);
  if (word >= 0) fit([word, ...found], move);
  draw();
}

// View: the pixels of a unit at `zoom` 1, and what the canvas has in the middle

function bounds(group) {
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (const word of group) {
    for (const side of [0, 1]) {
      low[side] = Math.min(low[side], places[2 * word + side]);
      high[side] = Math.max(high[side], places[2 * word + side]);
    }
  }
  return { low, high, middle: low.map((one, side) => (one + high[side]) / 2),
    span: low.map((one, side) => Math.max(high[side] - one, 1)) };
}

const count = (end) => Array.from({ length: end }, (_, place) => place);
const all = bounds(count(listed));
const whole = bounds(count(Math.min(FIRST, listed)));
let zoom = 1, middle = whole.middle, width = 0, height = 0;

function scale() {
  return zoom * Math.min(Math.max(width - 90, 40) / whole.span[0],
    Math.max(height - 60, 40) / whole.span[1]);
}

function drawn() {
  return Math.min(listed, Math.round(FIRST * zoom * zoom));
}

function pixel(word) {
  const unit = scale();
  return [width / 2 + (places[2 * word] - middle[0]) * unit,
    height / 2 - (places[2 * word + 1] - middle[1]) * unit];
}

// Moves and zooms; what is at a pixel stays there.
function look(nextZoom, [x, y] = [width / 2, height / 2]) {
  const before = scale();
  zoom = Math.min(Math.max(nextZoom, FARTHEST), CLOSEST);
  const change = 1 / before - 1 / scale();
  shift([(x - width / 2) * change, (height / 2 - y) * change]);
}

function shift(by) {
  middle = middle.map((one, side) =>
    Math.min(Math.max(one + by[side], all.low[side]), all.high[side]));
  // One finger scrolls the page as long as the whole map is seen.
  canvas.style.touchAction = zoom > 1 ? "none" : "pan-y";
  show(-1);
  draw();
}

function home() {
  zoom = 1;
  middle = whole.middle;
  shift([0, 0]);
}

function fit(group, always) {
  const inside = group.every((word) => {
    const [x, y] = pixel(word);
    return x > 8 && x < width - 8 && y > 8 && y < height - 8;
  });
  if (inside && !always) return;
  const box = bounds(group);
  const unit = Math.min(Math.max(width - 190, 40) / box.span[0],
    Math.max(height - 110, 40) / box.span[1]);
  zoom = Math.min(Math.max(zoom * unit / scale(), FARTHEST), CLOSEST / 4);
  middle = box.middle;
  shift([0, 0]);
}

// Drawing

let waiting = false;
function draw() {
  if (!waiting) requestAnimationFrame(paint);
  waiting = true;
}

function paint() {
  waiting = false;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(root);
  const [ink, soft, card, accent, warm] = ["ink", "soft", "card", "accent",
    "near"].map((name) => style.getPropertyValue(`--${name}`).trim());
  const lit = new Set([chosen, ...found]);
  pen.globalAlpha = chosen < 0 ? 0.5 : 0.2;
  dots(count(drawn()), accent,
    (word) => 1.2 + 1.8 * Math.max(0, 1 - word / FIRST));
  pen.globalAlpha = 1;
  pen.strokeStyle = warm;
  pen.lineWidth = 0.8;
  for (const word of found) {
    pen.beginPath();
    pen.moveTo(...pixel(chosen));
    pen.lineTo(...pixel(word));
    pen.stroke();
  }
  dots(found, warm, () => 4);
  if (chosen >= 0) dots([chosen], ink, () => 5);
  const taken = [...lit].filter((word) => word >= 0).map((word) => {
    const [x, y] = pixel(word);
    return [x - 5, y - 5, x + 5, y + 5];
  });
  pen.lineJoin = "round";
  pen.strokeStyle = card;
  for (const word of lit) {
    if (word >= 0) label(word, BOLD, word === chosen ? ink : warm, taken, 14);
  }
  if (over >= 0 && !lit.has(over)) label(over, BOLD, ink, taken, 14);
  const most = (width * height) / (chosen < 0 ? 4500 : 9000);
  for (let word = 0; word < drawn() && taken.length < most; word++) {
    if (!lit.has(word)) label(word, FONT, soft, taken, 2);
  }
}

function dots(group, color, radius) {
  pen.fillStyle = color;
  pen.beginPath();
  for (const word of group) {
    const [x, y] = pixel(word), r = radius(word);
    if (x < -r || y < -r || x > width + r || y > height + r) continue;
    pen.moveTo(x + r, y);
    pen.arc(x, y, r, 0, 2 * Math.PI);
  }
  pen.fill();
}

// Writes a word beside its point, at the first of some sides that is free.
function label(word, font, color, taken, sides) {
  const [x, y] = pixel(word);
  if (x < 0 || y < 0 || x > width || y > height) return;
  pen.font = font;
  const half = pen.measureText(texts[word]).width / 2;
  for (const [right, down] of SIDES.slice(0, sides)) {
    const at = [x + right * (half + 8), y + down * 14];
    const box = [at[0] - half - 2, at[1] - 8, at[0] + half + 2, at[1] + 8];
    const free = box[0] > 0 && box[1] > 0 && box[2] < width && box[3] < height
      && taken.every((one) => box[2] < one[0] || box[0] > one[2]
        || box[3] < one[1] || box[1] > one[3]);
    if (!free) continue;
    taken.push(box);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 3;
    pen.strokeText(texts[word], ...at);
    pen.fillStyle = color;
    pen.fillText(texts[word], ...at);
    return;
  }
}

// Pointer

function at(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left - 1, event.clientY - box.top - 1];
}

function under([x, y]) {
  let best = -1, least = REACH * REACH;
  const hold = (word) => {
    const [left, top] = pixel(word);
    const far = (left - x) ** 2 + (top - y) ** 2;
    if (far < least) [best, least] = [word, far];
  };
  for (let word = 0; word < drawn(); word++) hold(word);
  if (chosen >= 0) [chosen, ...found].forEach(hold);
  return best;
}

function show(word) {
  canvas.classList.toggle("over", word >= 0);
  hint.hidden = word < 0;
  if (word === over) return;
  over = word;
  draw();
  if (word < 0) return;
  const nearest = words.near(word).slice(0, 3).map(([other]) => texts[other]);
  const lines = [texts[word], words.often(word)];
  if (nearest.length) lines.push(`nearest: ${nearest.join(", ")}`);
  hint.textContent = lines.filter(Boolean).join("\n");
  const [x, y] = pixel(word);
  hint.style.left = `${Math.min(x + 14, Math.max(width - 200, 0))}px`;
  hint.style.top = y > height - 100 ? "" : `${y + 14}px`;
  hint.style.bottom = y > height - 100 ? `${height - y + 14}px` : "";
}

const fingers = new Map();
let moved = 0;
canvas.addEventListener("pointerdown", (event) => {
  if (!fingers.size) moved = 0;
  fingers.set(event.pointerId, at(event));
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId), now = at(event);
  if (!before) return show(under(now));
  const by = [now[0] - before[0], now[1] - before[1]];
  moved += Math.hypot(...by);
  fingers.set(event.pointerId, now);
  const other = [...fingers].find(([id]) => id !== event.pointerId);
  if (other) {
    const apart = (point) => Math.hypot(point[0] - other[1][0],
      point[1] - other[1][1]) || 1;
    look(zoom * apart(now) / apart(before), other[1]);
  } else if (moved > 4) {
    canvas.classList.add("held");
    shift([-by[0] / scale(), by[1] / scale()]);
  }
});
canvas.addEventListener("pointerup", (event) => {
  if (fingers.size === 1 && moved <= 4) {
    const word = under(at(event));
    if (word < listed) choose(word);
  }
});
for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, (event) => {
    fingers.delete(event.pointerId);
    canvas.classList.remove("held");
  });
}
canvas.addEventListener("pointerleave", () => show(-1));

let scrolled = -Infinity;
window.addEventListener("scroll", () => { scrolled = performance.now(); },
  { passive: true });
canvas.addEventListener("wheel", (event) => {
  // Who scrolls the page is not to be stopped by the map.
  const passing = performance.now() - scrolled < 300;
  if (passing || (zoom === FARTHEST && event.deltaY > 0)) return;
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : 1;
  const turn = Math.min(Math.max(event.deltaY * lines, -200), 200);
  look(zoom * Math.exp(-0.0025 * turn), at(event));
}, { passive: false });

// Keyboard and buttons

const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1],
  ArrowDown: [0, -1] };
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in step) {
    shift(step[event.key].map((one) => 50 * one / scale()));
  } else if (event.key === "+" || event.key === "=") look(1.4 * zoom);
  else if (event.key === "-") look(zoom / 1.4);
  else if (event.key === "0" || event.key === "Home") home();
  else if (event.key === "Escape") choose(-1);
  else return;
  event.preventDefault();
});
for (const button of root.querySelectorAll("[data-zoom]")) {
  const factor = Number(button.dataset.zoom);
  button.addEventListener("click", () => factor ? look(factor * zoom) : home());
}

new ResizeObserver(() => {
  [width, height] = [canvas.clientWidth, canvas.clientHeight];
  draw();
}).observe(canvas);
[width, height] = [canvas.clientWidth, canvas.clientHeight];
home();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
return select;
}
