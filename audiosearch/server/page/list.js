// The list: a grid whose rows exist only where they are seen. The grid itself has the focus, and names the row that is
// chosen; so nothing that becomes of the rows takes the focus away.

import { by } from "./dom.js";
import { moved, part, playing, sound } from "./player.js";
import { Row } from "./row.js";
import { more, results } from "./search.js";
import { settings } from "./settings.js";
import { signal } from "./signal.js";
import { roots } from "./sounds.js";

const BEYOND = 6; // rows drawn above and below what is seen
const AHEAD = 30; // rows from the end at which the next page is asked for
const HEIGHTS = { compact: 40, comfortable: 52 };

const [grid, rows] = ["hits", "rows"].map(by);
const shown = new Map();
const spare = [];
let hits = [];
let best = 1;
let height = HEIGHTS.compact;
let actions = null;
let isFavourite = () => false;
let isKept = () => false;

export const chosen = signal(-1); // the number of the row, from 0 on
export const chosenHit = () => hits[chosen.value] ?? null;

const head = () => by("head").offsetHeight;

function draw() {
  const first = Math.max(0, Math.floor(grid.scrollTop / height) - BEYOND);
  const last = Math.min(hits.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + BEYOND);
  for (const [index, row] of shown) {
    if (index >= first && index < last) continue;
    shown.delete(index);
    row.root.remove();
    spare.push(row);
  }
  for (let index = first; index < last; index++) {
    let row = shown.get(index);
    if (!row) {
      row = spare.pop() ?? new Row(actions);
      shown.set(index, row);
      row.root.style.transform = `translateY(${index * height}px)`;
      rows.append(row.root);
    }
    row.fill(hits[index], index, best);
    mark(row, index);
  }
  if (last > hits.length - AHEAD) more();
}

function mark(row, index) {
  const { id } = row.hit;
  const loaded = sound.value?.id === id;
  row.mark({
    selected: index === chosen.value,
    loaded,
    playing: loaded && playing.value,
    favourite: isFavourite(id),
    kept: isKept(id),
    part: part.value?.id === id ? [part.value.start, part.value.end] : null,
    played: loaded ? moved.value : null,
  });
}

export function markAll() {
  for (const [index, row] of shown) mark(row, index);
}

// Show other rows. The sound that was chosen stays so, if it is among them.
function show(found) {
  const before = chosenHit();
  const grown = hits.length && found.hits[0] === hits[0];
  hits = found.hits;
  best = hits.reduce((most, hit) => Math.max(most, hit.score ?? 0), 0);
  rows.style.height = `${hits.length * height}px`;
  grid.setAttribute("aria-rowcount", hits.length + 1);
  if (!grown) {
    grid.scrollTop = 0;
    // Other words are another list; other terms and filters are the same one, in which somebody works.
    const again = before && !found.typed ? hits.findIndex(({ id }) => id === before.id) : -1;
    const place = again >= 0 || !before || found.typed ? again : Math.min(chosen.value, hits.length - 1);
    choose(place, { quiet: true, still: document.activeElement !== grid });
  }
  draw();
}

// Choose a row; `quiet`: nothing follows from it; `still`: the list is not scrolled to it.
export function choose(index, { quiet = false, still = false } = {}) {
  const changed = chosen.value !== index;
  chosen.value = index;
  if (index < 0) {
    grid.removeAttribute("aria-activedescendant");
    markAll();
    return;
  }
  const [top, bottom] = [index * height, (index + 1) * height];
  const seen = grid.clientHeight - head();
  if (still) markAll();
  else if (top < grid.scrollTop) grid.scrollTop = top;
  else if (bottom > grid.scrollTop + seen) grid.scrollTop = bottom - seen;
  draw();
  grid.setAttribute("aria-activedescendant", `row-${index}`);
  if (!quiet && changed) actions.chosen(hits[index]);
}

// Go some rows down or up. Up from the first, the words are reached.
export function step(by_, { wrap = false } = {}) {
  if (!hits.length) return false;
  const to = chosen.value + by_;
  if (to < 0 && !wrap) return false;
  choose(Math.max(0, Math.min(hits.length - 1, to)));
  return true;
}

export const leap = (index) => hits.length && choose(index < 0 ? hits.length - 1 : index);
export const screenful = () => Math.max(1, Math.floor((grid.clientHeight - head()) / height) - 1);
export const focusList = () => grid.focus({ preventScroll: true });

export function setUpList(does, { favourite, kept }) {
  actions = does;
  isFavourite = favourite;
  isKept = kept;
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
  grid.addEventListener("scroll", soon, { passive: true });
  new ResizeObserver(draw).observe(grid);
  grid.addEventListener("focus", () => {
    if (chosen.value < 0 && hits.length && grid.matches(":focus-visible")) choose(0, { quiet: true });
  });
  settings.follow(({ density }) => {
    height = HEIGHTS[density];
    rows.style.height = `${hits.length * height}px`;
    for (const [index, row] of shown) row.root.style.transform = `translateY(${index * height}px)`;
    draw();
  });
  results.follow(show);
  for (const one of [sound, playing, part]) one.follow(markAll);
  roots.follow(() => {
    for (const row of [...shown.values(), ...spare]) row.hit = null; // its folder is written another way
    draw();
  });
  moved.follow((second) => {
    for (const row of shown.values()) {
      if (row.hit.id !== sound.value?.id) continue;
      row.played = second;
      row.paint();
    }
  });
}
