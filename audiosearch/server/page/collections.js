// Favourites, collections and saved searches: what the library keeps, with what this page knows of it.

import { ask, askIfThere, post, send } from "./api.js";
import { recalled, remember } from "./settings.js";
import { signal } from "./signal.js";

const STORE = "audiosearch-collection";
const MOST = 1000;
export const FAVOURITES = 1;
const FIRST = "Basket"; // the name of the collection that is made by the first sound kept

export const collections = signal([]); // null: the server keeps none
export const searches = signal([]);
export const members = signal(new Map()); // id of a collection -> Set of ids of sounds, of the two that rows show
export const current = signal(recalled(STORE, null)); // the collection that `b` puts sounds into

current.follow((id) => remember(STORE, id));

const others = () => (collections.value ?? []).filter(({ kind }) => kind !== "favourites");
export const currentCollection = () => others().find(({ id }) => id === current.value) ?? others()[0] ?? null;
export const has = (collection, sound) => members.value.get(collection)?.has(sound) ?? false;

async function load(id) {
  const ids = new Set();
  for (let after = 0; after !== null;) {
    const page = await ask(`v1/collections/${id}/sounds?fields=id&k=${MOST}&after=${after}`);
    for (const sound of page.sounds) ids.add(sound.id);
    after = page.next;
  }
  members.value.set(id, ids);
}

const versions = new Map();

// Ask the library what it keeps; sounds are asked for only where something changed.
export async function refresh() {
  const found = await askIfThere("v1/collections", { collections: null });
  collections.value = found.collections;
  if (!found.collections) return;
  searches.value = (await askIfThere("v1/searches", { searches: [] })).searches;
  const watched = [found.collections.find(({ id }) => id === FAVOURITES), currentCollection()].filter(Boolean);
  for (const { id, version } of watched) {
    if (versions.get(id) === version) continue;
    await load(id);
    versions.set(id, version);
  }
  members.tell();
}

export async function make(name) {
  const made = await post("v1/collections", { name });
  current.value = made.id;
  await refresh();
  return made;
}

export async function rename(id, name) {
  await send("PATCH", `v1/collections/${id}`, { name });
  await refresh();
}

export async function drop(id) {
  await send("DELETE", `v1/collections/${id}`);
  await refresh();
}

export async function use(id) {
  current.value = id;
  await refresh();
}

// Put a sound into a collection, or take it out; the answer tells whether it is in it now.
async function flip(id, sound) {
  if (!collections.value) throw new Error("This server keeps no collections: it is older than this page.");
  const there = has(id, sound);
  if (there) await post(`v1/collections/${id}/remove`, { ids: [sound] });
  else await post(`v1/collections/${id}/sounds`, { ids: [sound] });
  await refresh();
  return !there;
}

export const favour = (sound) => flip(FAVOURITES, sound);

export async function keep(sound) {
  const { id, name } = currentCollection() ?? (await make(FIRST));
  return { name, isIn: await flip(id, sound) };
}

export const exportLink = (id, format) => `v1/collections/${id}/export?format=${format}`;

export async function saveSearch(name, query) {
  await post("v1/searches", { name, query });
  await refresh();
}

export async function dropSearch(id) {
  await send("DELETE", `v1/searches/${id}`);
  await refresh();
}
