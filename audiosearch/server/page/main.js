// The page: what is typed is asked, what is found is listed, what is chosen is played from where it is heard.

import { ask, post } from "./api.js";
import { put } from "./basket.js";
import { button, by, element, say, split, time } from "./dom.js";
import { countFilters, drawFilters } from "./filters.js";
import { play, toggle } from "./player.js";
import { address, asked, restore, state } from "./state.js";
import { Waveform } from "./waveform.js";

const PAUSE = 150; // ms without a key before a query is sent: longer than between two keys, shorter than a thought
const COUNT = 30;
const EXAMPLES = 5;
const WATCHED = 3000; // ms between two looks at the jobs

const [q, hits, more] = ["q", "hits", "more"].map(by);
let waiting, asking, next;

// -- searching --------------------------------------------------------------------------------

async function search({ push = true, offset = 0 } = {}) {
  if (push && address() !== location.search.slice(1)) history.pushState(null, "", address() ? `?${address()}` : ".");
  drawTerms();
  countFilters();
  asking?.abort();
  asking = new AbortController();
  const body = asked(offset, COUNT);
  if (!body) return welcome();
  by("examples").replaceChildren();
  if (!offset) say("Searching …");
  try {
    const found = await post("v1/search", body, asking.signal);
    const rows = found.hits.map(row);
    if (offset) hits.append(...rows);
    else hits.replaceChildren(...rows);
    next = found.next;
    more.hidden = next === null;
    if (hits.children.length) say(`${hits.children.length} sounds, the nearest first`);
    else nothing();
    return true;
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
  return false;
}

const EMPTY = "The library holds no sounds yet. In a terminal: audiosearch index FOLDER";

async function nothing() {
  const { sounds } = await ask("v1/status");
  say(sounds ? `None of the ${sounds} sounds passes the filters.` : EMPTY);
}

async function welcome() {
  hits.replaceChildren();
  more.hidden = true;
  try {
    const { sounds, hours } = await ask("v1/status");
    say(sounds ? `${sounds} sounds, ${hours.toFixed(1)} hours. Describe one, or drop a file here.` : EMPTY);
    if (sounds) await examples(sounds);
  } catch (error) {
    say(error.message);
  }
}

// Words from the library itself: titles, or names of files without numbers and marks.
async function examples(sounds) {
  const after = Math.floor(Math.random() * Math.max(1, sounds - 100));
  const page = await ask(`v1/sounds?k=100&after=${after}`);
  const words = page.sounds.filter((sound) => sound.duration).map(({ tags, path }) =>
    String(tags.title ?? split(path)[1].replace(/\.[^.]*$/, "")).replace(/[\d_.,()[\]#-]+/g, " ").trim());
  const chosen = [...new Set(words.filter((text) => /^\p{L}{3,}/u.test(text)))].sort(() => Math.random() - 0.5);
  by("examples").replaceChildren(...chosen.slice(0, EXAMPLES).map((text) => button(text, text, () => {
    state.q = q.value = text;
    search();
  })));
}

// -- terms ------------------------------------------------------------------------------------

function addTerm(term) {
  state.terms.push(term);
  return search();
}

function addWords(weight) {
  if (!q.value.trim()) return q.focus();
  state.q = "";
  addTerm({ text: q.value.trim(), weight });
  q.value = "";
  q.focus();
}

function drawTerms() {
  by("terms").replaceChildren(...state.terms.map((term, index) => {
    const part = term.end ? ` ${time(term.start)}-${time(term.end)}` : "";
    const name = term.name ?? term.text ?? `sound ${term.id}${part}`;
    const away = term.weight < 0;
    const sign = button(away ? "−" : "+", away ? `Look for ${name}` : `Avoid ${name}`, () => {
      term.weight = -term.weight;
      search();
    });
    const remove = button("×", `Remove ${name}`, () => {
      state.terms.splice(index, 1);
      search();
      q.focus();
    });
    return element("li", { className: away ? "away" : "" }, sign, element("span", { textContent: name }), remove);
  }));
}

async function drop(file) {
  say(`Listening to ${file.name} …`);
  try {
    const { vector } = await ask("v1/embed/audio", { method: "POST", body: file });
    await addTerm({ vector, weight: 1, name: file.name });
  } catch (error) {
    say(`${file.name}: ${error.message}`);
  }
}

// -- rows -------------------------------------------------------------------------------------

const like = (row, weight) => addTerm({ id: row.hit.id, weight, name: split(row.hit.path)[1] });
const link = (hit) => new URL(`v1/sounds/${hit.id}/audio`, location.href).href;

function download({ hit }) {
  element("a", { href: link(hit), download: split(hit.path)[1] }).click();
}

async function copy({ hit }) {
  await navigator.clipboard.writeText(hit.path);
  say("The path is copied.");
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    target.row.waveform.load();
  }
});

function row(hit) {
  const [folder, name] = split(hit.path);
  const made = { hit };
  made.waveform = new Waveform(hit, { onPlay: (second) => play(made, second), onSelect: (part) => select(made, part) });
  const heard = `${time(hit.start)}-${time(hit.end)} of ${time(hit.duration)}`;
  made.main = element("button", { type: "button", className: "main", onclick: () => toggle(made) },
    element("span", { className: "name", textContent: name }),
    element("span", { className: "time", textContent: heard }),
    element("span", { className: "score", textContent: hit.score.toFixed(3) }),
    element("span", { className: "folder", textContent: folder }));
  made.main.setAttribute("aria-pressed", "false");
  made.main.row = made;
  made.part = element("span", { className: "part" });
  const tools = element("span", { className: "tools" },
    button("more", `More like ${name}`, () => like(made, 1)), button("less", `Less like ${name}`, () => like(made, -1)),
    button("basket", `Put ${name} in the basket`, () => put(hit)),
    button("download", `Download ${name}`, () => download(made)),
    button("copy path", `Copy the path of ${name}`, () => copy(made)));
  const item = element("li", { draggable: true, row: made }, made.main, made.waveform.canvas, tools, made.part);
  item.addEventListener("dragstart", (event) => {
    event.dataTransfer.setData("DownloadURL", `application/octet-stream:${name}:${link(hit)}`);
    event.dataTransfer.setData("text/uri-list", link(hit));
    event.dataTransfer.setData("text/plain", hit.path);
  });
  seen.observe(item);
  return item;
}

function select(made, [start, end]) {
  const [from, to] = [Number(start.toFixed(2)), Number(end.toFixed(2))];
  const name = `${split(made.hit.path)[1]} ${time(from)}-${time(to)}`;
  made.part.replaceChildren(
    button(`Search by ${time(from)}-${time(to)}`, `Search by ${name}`, () =>
      addTerm({ id: made.hit.id, start: from, end: to, weight: 1, name })),
    button("Play it", `Play ${name}`, () => play(made, from)));
}

// -- keys, drops, address -----------------------------------------------------------------------

const KEYS = {
  " ": toggle,
  m: (chosen) => like(chosen, 1),
  x: (chosen) => like(chosen, -1),
  b: (chosen) => put(chosen.hit),
  d: download,
  c: copy,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || by("locked").open) return;
  const typing = event.target.matches("input:not([type=checkbox], [type=radio])");
  const chosen = event.target.row;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    q.focus();
    q.select();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (chosen || event.target === q)) {
    event.preventDefault();
    const rows = [...hits.querySelectorAll(".main")];
    const place = rows.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
    (place < 0 ? q : rows[Math.min(place, rows.length - 1)])?.focus();
  } else if (chosen && KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key](chosen);
  }
});

q.addEventListener("input", () => {
  state.q = q.value;
  clearTimeout(waiting);
  waiting = setTimeout(search, PAUSE);
});
by("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  state.q = q.value;
  if (await search()) hits.querySelector(".main")?.focus();
});
by("plus").onclick = () => addWords(1);
by("minus").onclick = () => addWords(-1);
more.onclick = () => search({ push: false, offset: next });

addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  drop(event.dataTransfer.files[0]);
});
addEventListener("resize", () => {
  for (const item of hits.children) item.row.waveform.draw();
});
addEventListener("popstate", () => start());

// -- a running index ----------------------------------------------------------------------------

let watched = null;

async function watch() {
  if (document.hidden) return;
  const { jobs } = await ask("v1/jobs?k=5");
  const job = jobs.find(({ state }) => state === "running");
  const line = by("running");
  line.hidden = !job;
  if (job) {
    const { done = 0, total, failed = 0 } = job.progress ?? {};
    line.textContent = `Indexing: ${done}${total ? ` of ${total}` : ""} files${failed ? `, ${failed} failed` : ""}`;
  } else if (watched) {
    drawFilters(search);
    search({ push: false });
  }
  watched = job;
}

function start() {
  restore();
  q.value = state.q;
  drawFilters(search).catch(() => {});
  search({ push: false });
}

start();
q.focus();
setInterval(() => watch().catch(() => {}), WATCHED);
