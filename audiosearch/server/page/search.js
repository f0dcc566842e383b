// One search at a time, page after page of its ranking. The sounds of a collection, and those that pass filters where
// nothing is searched for, are listed in the same way.

import { ask, post } from "./api.js";
import { signal } from "./signal.js";
import { asHit } from "./sounds.js";
import { arrived, state, terms, where, write } from "./state.js";

const FIRST = 40; // rows of the first page: more than a screen, and soon there
const COUNT = 60; // rows of the next ones
const MOST = 1000; // down to which a ranking is given

// `kind` is "search", "collection", "browse" or "none". `hits` so far; `next` is where the ranking goes on; `isWhole`: there is nothing beyond it;
// `total`: how many sounds pass the filters; `best`: how many of them stand out; `weak`: not even the best hit fits the words; `typed`:
// other words than before; `error` is what went wrong.
export const results = signal({ kind: "none", hits: [], next: null, total: null, best: null, weak: false, isWhole: true, busy: false, error: null });
const change = (changes) => {
  results.value = { ...results.value, ...changes };
};

let asking = null;
let fetching = false;

const body = (offset) => {
  const count = Math.min(offset ? COUNT : FIRST, MOST - offset);
  return { terms: terms(), where: where(), k: count, offset, group: true };
};

async function page(offset, signal) {
  if (state.collection) {
    const found = await ask(`v1/collections/${state.collection}/sounds?k=${COUNT}&after=${offset}`, { signal });
    return { hits: found.sounds.map(asHit), next: found.next, weak: false, isWhole: found.next === null };
  }
  if (!terms().length) {
    const query = new URLSearchParams({ k: COUNT, after: offset });
    for (const [name, value] of Object.entries(where())) for (const one of [value].flat()) query.append(name, one);
    const found = await ask(`v1/sounds?${query}`, { signal });
    return { hits: found.sounds.filter(({ duration }) => duration).map(asHit), next: found.next, weak: false,
      isWhole: found.next === null };
  }
  const { hits, next, weak } = await post("v1/search", body(offset), signal);
  return { hits, next, weak: Boolean(weak), isWhole: next === null && offset + hits.length < MOST };
}

// Ask for what the state says. `kind` of the results tells what came of it; `typed`: somebody is still typing.
export async function search({ push = true, typed = false } = {}) {
  if (push) write(typed);
  else arrived();
  asking?.abort();
  asking = new AbortController();
  fetching = false;
  const { signal } = asking;
  const kind = state.collection ? "collection" : terms().length ? "search" : Object.keys(where()).length ? "browse" : "none";
  if (kind === "none") {
    change({ kind, hits: [], next: null, weak: false, busy: false, error: null });
    return true;
  }
  change({ busy: true });
  try {
    const found = await page(0, signal);
    change({ ...found, kind, typed, busy: false, error: null });
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false;
    change({ busy: false, error });
    return false;
  }
}

// The next rows, where there are any.
export async function more() {
  const { next, hits, busy } = results.value;
  if (next === null || fetching || busy) return; // where another search is on its way, these rows are the past
  fetching = true;
  const { signal } = asking;
  try {
    const found = await page(next, signal);
    const known = new Set(hits.map(({ id }) => id));
    change({ ...found, hits: [...hits, ...found.hits.filter(({ id }) => !known.has(id))] });
  } catch (error) {
    if (error.name !== "AbortError") change({ error });
  } finally {
    if (!signal.aborted) fetching = false;
  }
}

export const setCounts = ({ total, hits: best }) => change({ total, best });
