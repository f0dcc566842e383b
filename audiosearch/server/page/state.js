// What is searched for: words being typed, terms, filters. The address holds all of it, so that it can be shared and the
// back button works; all but a dropped file, which is nowhere but here.

export const state = { q: "", terms: [], filters: {} };

const NAMES = ["format", "rate", "channels", "root", "min_duration", "max_duration"];

// A term in the address: + or -, then words or #id, and @from-to for a part: "-thunder", "+#12@15-20".
function written(term) {
  const part = term.end ? `@${term.start}-${term.end}` : "";
  return (term.weight < 0 ? "-" : "+") + (term.id ? `#${term.id}${part}` : term.text);
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
  return query.toString();
}

export function restore() {
  const query = new URLSearchParams(location.search);
  state.q = query.get("q") ?? "";
  state.terms = query.getAll("t").filter((text) => text.length > 1).map(read);
  state.filters = {};
  for (const name of NAMES) if (query.has(name)) state.filters[name] = query.getAll(name);
}

// The body of a search; null where there is nothing to look for.
export function asked(offset, k) {
  const terms = state.terms.map(({ name, ...term }) => term);
  if (state.q.trim()) terms.push({ text: state.q });
  if (!terms.some((term) => (term.weight ?? 1) > 0)) return null;
  const where = {};
  for (const [name, values] of Object.entries(state.filters)) {
    if (!values.length) continue;
    if (name.endsWith("_duration")) where[name] = Number(values[0]);
    else where[name] = name === "rate" || name === "channels" ? values.map(Number) : values;
  }
  return { terms, where, k, offset };
}
