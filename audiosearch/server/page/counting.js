// How many sounds have what: the counts beside the filters. Those of a group leave the group's own choice out, so that
// they say what a second choice would add.

import { ask } from "./api.js";
import { where } from "./state.js";

export const BANDS = "duration"; // the group whose filters are min_duration and max_duration
const OF_BANDS = ["min_duration", "max_duration"];

const without = (filters, group) => {
  const left = { ...filters };
  for (const name of group === BANDS ? OF_BANDS : [group]) delete left[name];
  return left;
};

function counts(filters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) for (const one of [value].flat()) query.append(name, one);
  return ask(`v1/facets?${query}`);
}

// The facets of what is searched for, and the number of sounds that pass all filters.
export async function count() {
  const filters = where();
  const all = await counts(filters);
  const total = Object.values(all.format).reduce((sum, each) => sum + each, 0);
  const chosen = ["format", "rate", "channels", BANDS].filter((group) =>
    (group === BANDS ? OF_BANDS : [group]).some((name) => name in filters));
  const others = await Promise.all(chosen.map((group) => counts(without(filters, group))));
  const facets = { ...all };
  chosen.forEach((group, index) => {
    facets[group] = others[index][group];
  });
  return { facets, total };
}
