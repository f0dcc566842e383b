// What is done with sounds, by key and by mouse.

import { addTerm } from "./asking.js";
import * as kept from "./collections.js";
import { showDetails } from "./details.js";
import { by, element, later, say, time } from "./dom.js";
import * as list from "./list.js";
import { openHelp, openSettings } from "./overlay.js";
import * as player from "./player.js";
import { results, search } from "./search.js";
import { flip, set, settings } from "./settings.js";
import { link, nameOf, partLink } from "./sounds.js";
import { settle, state } from "./state.js";
import { SPEEDS } from "./transport.js";

const AUDITION = 90; // ms that a row must stay chosen before it plays: what is passed by stays silent
const NARROW = 900; // pixels, below which panels lie over the list; also in the styles

const like = (hit, weight) => addTerm({ id: hit.id, weight, name: nameOf(hit) });
const download = (hit) => element("a", { href: link(hit), download: nameOf(hit) }).click();

export const searchBy = (hit, start, end) =>
  addTerm({ id: hit.id, start: Number(start.toFixed(2)), end: Number(end.toFixed(2)), weight: 1, name: nameOf(hit) });

export async function copy(hit) {
  await navigator.clipboard.writeText(hit.path);
  say("The path is copied.");
}

async function attempt(work, words) {
  try {
    const outcome = await work();
    if (state.collection) await search({ push: false });
    say(words(outcome));
  } catch (error) {
    say(error.message);
  }
}

const favourite = (hit) => attempt(() => kept.favour(hit.id), (is) => `${nameOf(hit)} is ${is ? "a favourite" : "no favourite any more"}.`);
const keep = (hit) => attempt(() => kept.keep(hit.id), ({ name, isIn }) => `${nameOf(hit)} is ${isIn ? "in" : "out of"} ${name}.`);

// Choose a row with the mouse, which plays it by itself.
function pick(hit) {
  list.focusList();
  const index = results.value.hits.indexOf(hit);
  if (index < 0) return;
  list.choose(index, { quiet: true });
  settle();
  showDetails(hit);
}

const audition = later(AUDITION, (hit) => {
  if (list.chosenHit() === hit) player.play(hit);
});

export const actions = {
  toggle: (hit) => {
    pick(hit);
    player.toggle(hit);
  },
  playAt: (hit, second) => {
    pick(hit);
    player.play(hit, second);
  },
  mark: (hit, start, end, isOver) => {
    player.part.value = { id: hit.id, start, end };
    if (!isOver) return;
    pick(hit);
    say(`Marked ${time(start)} – ${time(end)}: p searches by it, l loops it, e exports it.`);
    player.play(hit, start);
  },
  choose: (hit) => {
    const again = list.chosenHit() === hit;
    pick(hit);
    if (!settings.value.audition) return;
    if (again) player.toggle(hit);
    else player.play(hit);
  },
  chosen: (hit) => {
    settle();
    showDetails(hit);
    if (settings.value.audition) audition(hit);
  },
  details: (hit) => {
    if (!settings.value.details) set({ details: true });
    showDetails(hit);
  },
  more: (hit) => like(hit, 1),
  less: (hit) => like(hit, -1),
  favourite, keep, download, copy,
};

export const go = (rows) => {
  list.step(rows, { wrap: true });
  list.focusList();
};

// Of the row that is chosen; the key is the browser's where none is.
const withHit = (work) => () => {
  const hit = list.chosenHit();
  return hit ? void work(hit) : false;
};
const withPart = (work) => () => {
  const { value: marked } = player.part;
  const hit = marked && [list.chosenHit(), player.sound.value].find((each) => each?.id === marked.id);
  return hit ? void work(hit, marked.start, marked.end) : say("Mark a part first: drag over a waveform.");
};
const speed = (steps) => () => {
  const place = SPEEDS.indexOf(settings.value.speed) + steps;
  set({ speed: SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, place))] });
};
const WAYS = { loop: "Loop", level: "Matched loudness", follow: "Playing on with the next", audition: "Playing what is chosen" };
const way = (name) => () => {
  flip(name);
  say(`${WAYS[name]}: ${settings.value[name] ? "on" : "off"}`);
};

function stop() {
  if (player.playing.value) player.stop();
  else if (document.activeElement === by("q")) list.focusList();
  else if (innerWidth < NARROW) set({ side: false, details: false });
}

export const keys = {
  words: () => {
    by("q").focus();
    by("q").select();
  },
  enter: () => go(list.chosen.value < 0 ? 1 : 0),
  down: () => go(1),
  up: () => list.step(-1) || by("q").focus(),
  pageDown: () => go(list.screenful()),
  pageUp: () => go(-list.screenful()),
  home: () => list.leap(0),
  end: () => list.leap(-1),
  toggle: () => player.toggle(list.chosenHit() ?? player.sound.value),
  stop,
  back: () => player.seek(player.moved.value - 1),
  forth: () => player.seek(player.moved.value + 1),
  details: withHit((hit) => {
    if (settings.value.details) set({ details: false });
    else actions.details(hit);
  }),
  more: withHit(actions.more), less: withHit(actions.less), favourite: withHit(favourite), keep: withHit(keep),
  download: withHit(download), copy: withHit(copy), byPart: withPart(searchBy),
  exportPart: withPart((hit, start, end) => element("a", { href: partLink(hit.id, start, end), download: "" }).click()),
  loop: way("loop"), level: way("level"), follow: way("follow"), audition: way("audition"),
  slower: speed(-1), faster: speed(1), side: () => flip("side"), settings: openSettings, help: openHelp,
};
