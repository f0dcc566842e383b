// The page: what is typed is asked, what is found is listed, what is chosen is played from where it is heard.
// The address holds the whole state, so that it can be shared and the back button works.

const PAUSE = 150; // ms without a key before a query is sent: faster than a word, slower than a typist
const COUNT = 30;

const [form, hits, said, player] = ["form", "hits", "said", "player"].map((id) => document.getElementById(id));
const { q, not } = form.elements;
let waiting, asking, like, playing;

const time = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
const audio = (hit) => `v1/sounds/${hit.id}/audio`;
const chosen = () => document.activeElement?.closest?.("#hits button") ?? null;

function state() {
  const query = new URLSearchParams();
  if (like) query.set("like", like);
  if (q.value.trim()) query.set("q", q.value);
  if (not.value.trim()) query.set("not", not.value);
  return query.toString();
}

function restore() {
  const query = new URLSearchParams(location.search);
  like = query.get("like");
  q.value = query.get("q") ?? "";
  not.value = query.get("not") ?? "";
}

async function search(push = true) {
  const terms = [];
  if (like) terms.push({ id: Number(like) });
  if (q.value.trim()) terms.push({ text: q.value });
  if (terms.length && not.value.trim()) terms.push({ text: not.value, weight: -1 });
  if (push && state() !== location.search.slice(1)) history.pushState(null, "", `?${state()}`);
  asking?.abort();
  asking = new AbortController();
  if (!terms.length) return welcome();
  try {
    const answer = await fetch("v1/search", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ terms, k: COUNT }),
      signal: asking.signal,
    });
    const found = await answer.json();
    if (!answer.ok) return say(found.detail);
    list(found.hits);
    say(found.hits.length ? `${found.hits.length} sounds, the nearest first` : "The library holds no sounds yet.");
  } catch (error) {
    if (error.name !== "AbortError") say("The server does not answer. Is audiosearch serve still running?");
  }
}

async function welcome() {
  hits.replaceChildren();
  const status = await (await fetch("v1/status")).json();
  say(status.sounds ? `${status.sounds} sounds, ${status.hours.toFixed(1)} hours. Describe one.` :
    "The library holds no sounds yet: audiosearch index FOLDER");
}

function say(text) {
  said.textContent = text;
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text ?? "";
  return made;
}

function list(found) {
  hits.replaceChildren(...found.map((hit) => {
    const row = element("button", "");
    row.type = "button";
    row.hit = hit;
    row.setAttribute("aria-pressed", "false");
    const cut = Math.max(hit.path.lastIndexOf("/"), hit.path.lastIndexOf("\\"));
    const name = element("span", "name", hit.path.slice(cut + 1));
    name.append(element("div", "folder", hit.path.slice(0, cut)));
    const range = element("span", "range");
    const lit = range.appendChild(element("i", ""));
    lit.style.left = `${100 * hit.start / hit.duration}%`;
    lit.style.width = `${100 * (hit.end - hit.start) / hit.duration}%`;
    row.append(
      element("span", "score", hit.score.toFixed(3)), name,
      element("span", "time", `${time(hit.start)}-${time(hit.end)} of ${time(hit.duration)}`), range);
    row.addEventListener("click", () => play(row));
    const item = document.createElement("li");
    item.append(row);
    return item;
  }));
}

async function play(row) {
  if (playing === row && !player.paused) return player.pause();
  playing?.setAttribute("aria-pressed", "false");
  playing = row;
  row.setAttribute("aria-pressed", "true");
  player.src = `${audio(row.hit)}#t=${row.hit.start}`;
  try {
    await player.play();
  } catch (error) {
    if (error.name !== "AbortError") say(`${row.hit.path} cannot be played here (${row.hit.format}).`);
  }
}

const keys = {
  " ": (row) => play(row),
  m: (row) => { like = String(row.hit.id); q.value = ""; search(); },
  d: (row) => { const link = element("a", ""); link.href = audio(row.hit); link.download = ""; link.click(); },
  c: (row) => navigator.clipboard.writeText(row.hit.path).then(() => say("The path is copied.")),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    q.focus();
    q.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const rows = [...hits.querySelectorAll("button")];
    const next = rows[rows.indexOf(chosen()) + (event.key === "ArrowDown" ? 1 : -1)];
    event.preventDefault();
    (next ?? (event.key === "ArrowUp" ? q : null))?.focus();
  } else if (!typing && chosen() && keys[event.key]) {
    event.preventDefault();
    keys[event.key](chosen());
  }
});

form.addEventListener("input", () => {
  like = null;
  clearTimeout(waiting);
  waiting = setTimeout(search, PAUSE);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  search().then(() => hits.querySelector("button")?.focus());
});
addEventListener("popstate", () => { restore(); search(false); });

restore();
search(false);
q.focus();
