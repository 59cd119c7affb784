// Looks for words and lists what is nearest; the map shows it (word_map.js).
"use strict";
(() => {
const OFFERED = 8; // words that the search field proposes

const root = document.getElementById("word-explorer");
const find = (selector) => root.querySelector(selector);
const input = find("input"), offers = find("[role=listbox]");
const said = find(".said"), list = find("ol");

const data = JSON.parse(find("#word-data").textContent);
const unpack = (text, Kind) => {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const size = Kind.BYTES_PER_ELEMENT;
  const read = size === 2 ? "getInt16" : "getInt32";
  return Kind.from({ length: bytes.length / size },
    (_, place) => view[read](place * size, true));
};
const places = unpack(data.places, Int16Array);
const neighbours = unpack(data.neighbours, Int32Array);
const cosines = unpack(data.cosines, Int16Array);
const texts = data.words, listed = data.listed;
const folded = texts.map((word) => word.toLowerCase());
const numbers = new Map(texts.map((word, place) => [word, place]));
const wide = neighbours.length / listed;
let offered = [], active = -1; // proposals, and the one that Enter takes

// Neighbours

function near(word) {
  const found = [];
  for (let i = word * wide; word < listed && i < (word + 1) * wide; i++) {
    if (neighbours[i] >= 0) found.push([neighbours[i], cosines[i] / 10000]);
  }
  return found;
}

function often(word) {
  return data.counts
    ? `${data.counts[word].toLocaleString("en")} times in the text` : "";
}

function make(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  return made;
}

function choose(word, move) {
  list.replaceChildren();
  close();
  if (word < 0) {
    input.value = "";
    said.textContent = "Click a word, or look for one.";
    history.replaceState(null, "", location.pathname + location.search);
    return select(-1);
  }
  const found = near(word);
  input.value = texts[word];
  const times = often(word);
  const end = found.length ? `; the ${found.length} nearest:` : ". Its vector "
    + "is zeros: it is near nothing.";
  said.replaceChildren(make("strong", texts[word]),
    (times ? `, ${times}` : "") + end);
  for (const [other, cosine] of found) {
    const item = make("li", "", { class: "near" });
    const known = other < listed;
    const name = make(known ? "button" : "span", texts[other],
      known ? { type: "button" } : { title: "too rare to be looked for here" });
    if (known) name.addEventListener("click", () => choose(other, true));
    const bar = make("i", "");
    bar.style.width = `${Math.max(0, 100 * cosine)}%`;
    item.append(name, make("data", cosine.toFixed(2), { value: cosine }), bar);
    list.append(item);
  }
  history.replaceState(null, "", `#word=${encodeURIComponent(texts[word])}`);
  select(word, move);
}

// Search

function close() {
  offers.hidden = true;
  active = -1;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function matching(text) {
  const start = [], inner = [];
  for (let word = 0; word < listed; word++) {
    const where = folded[word].indexOf(text);
    if (where === 0) start.push(word);
    else if (where > 0) inner.push(word);
  }
  const exact = (word) => folded[word] === text;
  return [...start.filter(exact), ...start.filter((word) => !exact(word)),
    ...inner].slice(0, OFFERED);
}

function offer() {
  const text = input.value.trim().toLowerCase();
  close();
  offered = text ? matching(text) : [];
  offers.replaceChildren(...offered.map((word, place) => {
    const option = make("li", texts[word], { role: "option",
      id: `word-offer-${place}`, "aria-selected": "false" });
    option.addEventListener("pointerdown", (event) => event.preventDefault());
    option.addEventListener("click", () => choose(word, true));
    return option;
  }));
  offers.hidden = !offered.length;
  input.setAttribute("aria-expanded", String(!offers.hidden));
}

function mark(place) {
  active = place;
  [...offers.children].forEach((option, index) =>
    option.setAttribute("aria-selected", String(index === place)));
  input.setAttribute("aria-activedescendant", `word-offer-${place}`);
  offers.children[place].scrollIntoView({ block: "nearest" });
}

function search(text) {
  const word = numbers.has(text) ? numbers.get(text)
    : folded.indexOf(text.toLowerCase());
  if (word >= 0 && word < listed) return choose(word, true);
  choose(-1, false);
  said.replaceChildren(make("strong", text), word < 0
    ? " is none of the words on this page."
    : " is too rare to be looked for here.");
  input.value = text;
}

input.addEventListener("input", offer);
input.addEventListener("focus", offer);
input.addEventListener("blur", close);
input.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") return close();
  if (!by) return;
  event.preventDefault();
  if (offers.hidden) offer();
  const most = offered.length;
  if (most) mark(active < 0 ? (by > 0 ? 0 : most - 1)
    : (active + by + most) % most);
});
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (active >= 0) return choose(offered[active], true);
  if (input.value.trim()) search(input.value.trim());
});

// Start

if (data.tried.length) find(".tried").append("such as ");
for (const word of data.tried) {
  const button = make("button", texts[word], { type: "button" });
  button.addEventListener("click", () => choose(word, true));
  find(".tried").append(button);
}
root.hidden = false; // only now has the canvas a size
const select = wordMap(root, { texts, places, listed, near, often },
  (word) => choose(word, false));

function follow() {
  const named = /^#word=(.+)$/.exec(location.hash);
  if (!named) return;
  try {
    search(decodeURIComponent(named[1]));
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    search(named[1]);
  }
  root.scrollIntoView();
}
window.addEventListener("hashchange", follow);
follow();
})();
