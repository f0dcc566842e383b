// One search at a time, page after page of its ranking. The sounds of a collection, and those that pass filters where
// nothing is searched for, are listed in the same way.

import { ask, post } from "./api.js";
import { signal } from "./signal.js";
import { asHit } from "./sounds.js";
import { arrived, state, terms, where, write } from "./state.js";

const COUNT = 60; // rows of a page: two screens
const MOST = 1000; // down to which a ranking is given

// `hits` so far; `next` is where the ranking goes on; `total`: how many sounds pass the filters; `best`: how many of
// them stand out; `weak`: not even the best hit fits the words. `kind` is "search", "collection", "browse" or "none"; `error` is what went wrong.
export const results = signal({ kind: "none", hits: [], next: null, total: null, best: null, weak: false, busy: false, error: null });
const change = (changes) => {
  results.value = { ...results.value, ...changes };
};

let asking = null;
let fetching = false;

const body = (offset) => {
  const count = Math.min(COUNT, MOST - offset);
  return { terms: terms(), where: where(), k: count, offset, group: true };
};

async function page(offset, signal) {
  if (state.collection) {
    const found = await ask(`v1/collections/${state.collection}/sounds?k=${COUNT}&after=${offset}`, { signal });
    return { hits: found.sounds.map(asHit), next: found.next, weak: false };
  }
  if (!terms().length) {
    const query = new URLSearchParams({ k: COUNT, after: offset });
    for (const [name, value] of Object.entries(where())) for (const one of [value].flat()) query.append(name, one);
    const found = await ask(`v1/sounds?${query}`, { signal });
    return { hits: found.sounds.filter(({ duration }) => duration).map(asHit), next: found.next, weak: false };
  }
  const { hits, next, weak } = await post("v1/search", body(offset), signal);
  return { hits, next, weak: Boolean(weak) };
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
    change({ ...found, kind, busy: false, error: null });
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false;
    change({ busy: false, error });
    return false;
  }
}

// The next rows, where there are any.
export async function more() {
  const { next, hits } = results.value;
  if (next === null || fetching) return;
  fetching = true;
  const { signal } = asking;
  try {
    const found = await page(next, signal);
    const known = new Set(hits.map(({ id }) => id));
    change({ hits: [...hits, ...found.hits.filter(({ id }) => !known.has(id))], next: found.next });
  } catch (error) {
    if (error.name !== "AbortError") change({ error });
  } finally {
    if (!signal.aborted) fetching = false;
  }
}

export const setCounts = ({ total, hits: best }) => change({ total, best });
export const isWhole = () => results.value.next === null && (results.value.kind !== "search" || results.value.hits.length < MOST);
