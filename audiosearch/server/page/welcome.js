// The first screen: what the library holds, words to begin with, what was asked before, and the other ways to ask.

import { ask, askIfThere, post } from "./api.js";
import { by, button, icon, many, say, split } from "./dom.js";
import { recalled, remember } from "./settings.js";
import { roots } from "./sounds.js";

const STORE = "audiosearch-recent";
const RECENT = 8;
const SUGGESTIONS = 12;

let does = null;
let sounds = null; // how many the library holds
let session = { scope: "write", add_folders: [], uploads: false };

// Keep words that were searched for until the end: by Enter, or by going into the list.
export function remembered(text) {
  const words = text.trim();
  if (!words) return;
  const others = recalled(STORE, []).filter((each) => each !== words);
  remember(STORE, [words, ...others].slice(0, RECENT));
}

function drawRecent() {
  const recent = recalled(STORE, []);
  by("w-recent").hidden = !recent.length;
  by("w-recent-words").replaceChildren(...recent.map((text) => button(text, text, () => does.search(text))));
}

async function suggestions() {
  const found = await askIfThere(`v1/suggestions?k=${SUGGESTIONS}`, null);
  return found ? found.suggestions.map(({ text }) => text) : titles();
}

// For a server that suggests nothing: titles, or names of files without numbers and marks.
async function titles() {
  const after = Math.floor(Math.random() * Math.max(1, sounds - 100));
  const page = await ask(`v1/sounds?k=100&after=${after}&fields=tags,path,duration`);
  const words = page.sounds.filter((sound) => sound.duration).map(({ tags, path }) =>
    String(tags.title ?? split(path)[1].replace(/\.[^.]*$/, "")).replace(/[\d_.,()[\]#-]+/g, " ").trim());
  return [...new Set(words.filter((text) => /^\p{L}{3,}/u.test(text)))].slice(0, SUGGESTIONS);
}

async function drawSuggestions() {
  const texts = await suggestions();
  by("w-suggestions").hidden = !texts.length;
  by("w-words").replaceChildren(...texts.map((text) => button(text, text, () => does.search(text))));
}

function drawAdding() {
  const mayAdd = session.scope === "write" && session.add_folders.length > 0;
  by("w-add").hidden = !mayAdd;
  by("w-folders").replaceChildren(...session.add_folders.map((path) => new Option(path, path)));
  if (mayAdd && !by("w-path").value) by("w-path").value = session.add_folders[0];
  by("w-again").hidden = session.scope !== "write" || !sounds;
  by("w-empty").hidden = sounds !== 0;
  by("w-listen").hidden = sounds === 0;
  by("w-terminal").hidden = mayAdd;
}

const lasting = (hours) => (hours < 1 ? many(Math.round(60 * hours), "minute") : many(Math.round(hours), "hour"));

// What the library holds.
export async function readStatus() {
  const { hours, failed, ...status } = await ask("v1/status");
  ({ roots: roots.value, sounds } = status);
  by("w-count").textContent = sounds ? `${many(sounds, "sound")} · ${lasting(hours)}` : "";
  by("w-failed").textContent = failed ? `${many(failed, "file")} could not be read` : "";
  by("w-failed").title = "audiosearch status lists them";
  if (!does.isAsking()) say(sounds ? many(sounds, "sound") : "The library holds no sounds yet");
  drawAdding();
}

// The first screen, as the library is now.
export async function drawWelcome() {
  drawRecent();
  await readStatus();
  if (sounds) await drawSuggestions();
  else by("w-suggestions").hidden = true;
}

export async function readSession() {
  session = { ...session, ...(await askIfThere("v1/session", {})) };
  drawAdding();
}

async function index(paths) {
  try {
    const job = await post("v1/jobs", { paths });
    by("w-wrong").textContent = "";
    does.watch(job);
  } catch (error) {
    by("w-wrong").textContent = error.message;
  }
}

// `does`: {search(text), watch(job), listen(file), isAsking()}.
export function setUpWelcome(what) {
  does = what;
  by("w-drop-icon").append(icon("download"));
  by("w-again").prepend(icon("again"));
  by("w-again").onclick = () => index([]);
  by("w-add").onsubmit = (event) => {
    event.preventDefault();
    index([by("w-path").value.trim()]);
  };
  by("w-file").onchange = () => {
    const [file] = by("w-file").files;
    if (file) does.listen(file);
    by("w-file").value = "";
  };
  by("w-forget").onclick = () => {
    remember(STORE, []);
    drawRecent();
  };
}

