// What is searched for: words being typed, terms, filters, or the collection that is open. The address holds all of it,
// so that it can be shared. What an address cannot hold (names of terms, the vector of a dropped file) lies beside it in
// the browser's history, and is there after a reload.

export const state = { q: "", terms: [], filters: {}, collection: null };

const LISTS = ["format", "rate", "channels", "root", "tag", "path"];
const NUMBERS = ["min_duration", "max_duration", "min_loudness", "max_loudness"];
const NAMES = [...LISTS, ...NUMBERS, "since"];

// A term in the address: + or -, then words or #id, and @from-to for a part: "-thunder", "+#12@15-20".
function written(term) {
  const part = term.end ? `@${term.start}-${term.end}` : "";
  const what = term.id ? `#${term.id}${part}` : term.vector ? "*" : term.text;
  return (term.weight < 0 ? "-" : "+") + what;
}

function read(text) {
  const weight = text[0] === "-" ? -1 : 1;
  const sound = text.slice(1).match(/^#(\d+)(?:@([\d.]+)-([\d.]+))?$/);
  if (!sound) return { text: text.slice(1), weight };
  return { id: Number(sound[1]), weight, ...(sound[2] ? { start: Number(sound[2]), end: Number(sound[3]) } : {}) };
}

export function address() {
  const query = new URLSearchParams();
  if (state.q.trim()) query.set("q", state.q);
  for (const term of state.terms) if (!term.vector) query.append("t", written(term));
  for (const name of NAMES) for (const value of state.filters[name] ?? []) query.append(name, value);
  if (state.collection) query.set("collection", state.collection);
  return query.toString();
}

export function restore() {
  const query = new URLSearchParams(location.search);
  state.q = query.get("q") ?? "";
  state.terms = history.state?.terms ?? query.getAll("t").filter((text) => text.length > 1).map(read);
  state.filters = {};
  for (const name of NAMES) if (query.has(name)) state.filters[name] = query.getAll(name);
  state.collection = Number(query.get("collection")) || null;
}

let typing = false;
let last = null;

// The end of a search: what is typed after it is another one.
export function settle() {
  typing = false;
}

// Write the address. While somebody types, one entry of the history follows the words; anything else has its own.
export function write(typed) {
  const text = address();
  const key = JSON.stringify([text, state.terms]);
  if (key === (last ?? JSON.stringify([location.search.slice(1), history.state?.terms ?? state.terms]))) return;
  last = key;
  const how = typed && typing ? "replaceState" : "pushState";
  typing = typed;
  history[how]({ terms: state.terms }, "", text ? `?${text}` : location.pathname);
}

// The address changed by itself: back, forth, or the page was loaded.
export function arrived() {
  last = JSON.stringify([address(), state.terms]);
  typing = false;
}

// The filters as the server takes them.
export function where() {
  const made = {};
  for (const [name, values] of Object.entries(state.filters)) {
    if (!values.length) continue;
    if (NUMBERS.includes(name)) made[name] = Number(values[0]);
    else if (name === "since") [made.since] = values;
    else made[name] = name === "rate" || name === "channels" ? values.map(Number) : values;
  }
  return made;
}

// The terms as the server takes them; empty where there is nothing to look for.
export function terms() {
  const made = state.terms.map(({ name, ...term }) => term);
  if (state.q.trim()) made.push({ text: state.q });
  return made.some((term) => (term.weight ?? 1) > 0) ? made : [];
}
