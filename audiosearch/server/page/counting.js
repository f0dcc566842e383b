// How many sounds have what: the counts beside the filters. They follow the query (what stands out for it counts) and the
// other filters; those of a group leave the group's own choice out, so that they say what another choice would give.

import { ask, isMissing, post } from "./api.js";
import { terms, where } from "./state.js";

export const BANDS = "duration"; // the group whose filters are min_duration and max_duration
const OF_BANDS = ["min_duration", "max_duration"];
const TAGS = ["category", "keywords"]; // embedded tags that are counted with the rest
const GROUPS = ["format", "duration", "rate", "channels", "root", "folder", "since", ...TAGS];

let isOld = false; // the server counts sounds alone

const sum = (counts) => Object.values(counts).reduce((total, each) => total + each, 0);

// The facets of what is searched for, `total`: the sounds that pass all filters, and `hits`: those of them that stand out,
// null where nobody asked or the server does not say.
export async function count() {
  const [asked, filters] = [terms(), where()];
  if (!isOld) {
    try {
      const [facets, all] = await Promise.all([post("v1/facets", { terms: asked, where: filters }),
        asked.length ? post("v1/facets", { where: filters }) : null]);
      return { facets: all ? within(facets, all) : facets, total: (all ?? facets).sounds, hits: all ? facets.sounds : null };
    } catch (error) {
      if (!isMissing(error)) throw error;
      isOld = true;
    }
  }
  return countSounds(filters);
}

// The counts of hits, with all values that the sounds have and in the order of those: the panel stays as it is.
function within(facets, all) {
  const made = { ...facets };
  for (const group of GROUPS) {
    made[group] = Object.fromEntries(Object.keys(all[group]).map((value) => [value, facets[group][value] ?? 0]));
  }
  return made;
}

async function countSounds(filters) {
  const all = await counts(filters);
  const fields = (group) => (group === BANDS ? OF_BANDS : [group]);
  const chosen = ["format", "rate", "channels", BANDS].filter((group) => fields(group).some((name) => name in filters));
  const facets = { ...all };
  await Promise.all(chosen.map(async (group) => {
    const others = Object.entries(filters).filter(([name]) => !fields(group).includes(name));
    facets[group] = (await counts(Object.fromEntries(others)))[group];
  }));
  return { facets, total: sum(all.format), hits: null };
}

function counts(filters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) for (const one of [value].flat()) query.append(name, one);
  return ask(`v1/facets?${query}`);
}

// The values of tags as [key, [[value, count], ...]]: as `known` has them, with the counts of the facets where they have
// some.
export function tagCounts(known, facets) {
  const keys = [...new Set([...TAGS.filter((key) => Object.keys(facets[key] ?? {}).length), ...known.map(({ key }) => key)])];
  return keys.map((key) => {
    const values = known.find((each) => each.key === key)?.values ?? [];
    return [key, facets[key] ? Object.entries(facets[key]) : values.map(({ value, sounds }) => [value, sounds])];
  });
}
