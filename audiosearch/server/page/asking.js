// From the state to what is seen: every change of the search comes through here.

import { Away } from "./api.js";
import { drawChips, drawTerms, termName } from "./chips.js";
import { by, later, many, number, say, spaced } from "./dom.js";
import { drawFilters } from "./filters.js";
import { results, search, setCounts } from "./search.js";
import { drawShelf } from "./shelf.js";
import { address, restore, settle, state } from "./state.js";
import { drawWelcome, remembered } from "./welcome.js";

const PAUSE = 120; // ms from one search to the next while somebody types: a fast typist's two keys
const COUNTED = 120; // ms after the rows: the counts of the filters may wait

const q = by("q");

// That the server is away is said once, and elsewhere.
export const sayUnlessAway = (error) => error instanceof Away || say(error.message);

const recount = later(COUNTED, async () => {
  try {
    setCounts(await drawFilters(run));
  } catch (error) {
    sayUnlessAway(error);
  }
});

// Search for what the state says now, and draw what belongs to it. True where the rows came.
export async function run(options = {}) {
  runTyped.cancel();
  if (!options.typed) settle();
  drawTerms(run);
  drawChips(run);
  drawShelf();
  document.title = [current().name, "audiosearch"].filter(Boolean).join(" – ");
  const searched = search(options);
  if (results.value.kind === "none") drawWelcome().catch(sayUnlessAway);
  recount();
  return searched;
}

// The same while somebody types.
export const runTyped = spaced(PAUSE, () => run({ typed: true }));

// The search that the address names.
export function start() {
  restore();
  q.value = state.q;
  return run({ push: false });
}

export function open(collection) {
  Object.assign(state, { collection, q: "", terms: [] });
  q.value = "";
  return run();
}

export function home() {
  state.filters = {};
  q.focus();
  return open(null);
}

export function addTerm(term) {
  state.collection = null;
  state.terms.push(term);
  return run();
}

// Make a term of the words that are typed.
export function addWords(weight) {
  const text = q.value.trim();
  if (!text) return q.focus();
  q.value = state.q = "";
  q.focus();
  return addTerm({ text, weight });
}

export function searchFor(text) {
  Object.assign(state, { q: text, collection: null });
  q.value = text;
  remembered(text);
  return run();
}

// The search as it is saved, and words for it.
export function current() {
  const words = [...state.terms.map((term) => (term.weight < 0 ? `not ${termName(term)}` : termName(term))), state.q.trim()];
  return { name: words.filter(Boolean).join(", "), query: address() ? { address: address() } : null };
}

export function runSaved({ address: text }) {
  history.pushState(null, "", `?${text}`);
  return start();
}

const EMPTY = "This collection is empty: b puts sounds into it, f into the favourites.";

let anyway = null; // the words whose weak rows are shown all the same

export function showAnyway() {
  anyway = state.q;
  results.tell();
}

// What is said of the results beside their rows.
export function describe({ kind, hits, total, best, isWhole, busy, error, weak }) {
  document.body.dataset.kind = kind;
  document.body.classList.toggle("busy", busy);
  by("trouble").hidden = !error || error instanceof Away;
  by("trouble-words").textContent = error?.message ?? "";
  const hides = weak && kind === "search" && hits.length > 0 && anyway !== state.q;
  by("weak").hidden = !hides;
  by("hits").hidden = hides;
  by("nothing").hidden = kind === "none" || busy || Boolean(error) || hits.length > 0;
  if (kind === "none" || error) return;
  const count = isWhole ? hits.length : total;
  by("nothing").textContent = kind === "collection" ? EMPTY : total === 0 ? "No sound passes the filters." : "Nothing is like it.";
  if (kind === "collection") say(many(hits.length, "sound"));
  else if (kind === "browse" && hits.length) say(many(count ?? hits.length, "sound"));
  else if (hides) say("nothing fits well");
  else if (hits.length) say([count === null ? null : many(count, "sound"), best ? `${number(best)} stand${best === 1 ? "s" : ""} out` : null, "best first"]
    .filter(Boolean).join(", "));
  else if (!busy) say("no sounds");
}
