// The page put together.

import { Away, online } from "./api.js";
import { addTerm, addWords, current, describe, home, open, run, runSaved, runTyped, sayUnlessAway, searchFor, showAnyway, start } from "./asking.js";
import * as kept from "./collections.js";
import { actions, copy, go, keys, searchBy } from "./deeds.js";
import { setUpDetails, showDetails } from "./details.js";
import { by, icon } from "./dom.js";
import { readTags } from "./filters.js";
import { forgetFolders } from "./folders.js";
import { setUpJobs, watch } from "./jobs.js";
import { setUpKeys } from "./keys.js";
import * as list from "./list.js";
import { listen, setUpListening } from "./listen.js";
import { openHelp, openSettings, setUpOverlays } from "./overlay.js";
import * as player from "./player.js";
import { results } from "./search.js";
import { flip, set, settings } from "./settings.js";
import { setUpShelf } from "./shelf.js";
import { settle, state } from "./state.js";
import { setUpTransport } from "./transport.js";
import { drawWelcome, readSession, readStatus, remembered, setUpWelcome } from "./welcome.js";

const NARROW = 900; // pixels, below which panels lie over the list; also in the styles

const ICONS = { glass: "search", plus: "plus", minus: "minus", "toggle-side": "side", "toggle-details": "details",
  "open-settings": "settings", "open-help": "help" };
const q = by("q");

function setUpWords() {
  q.addEventListener("input", () => {
    Object.assign(state, { q: q.value, collection: null });
    runTyped();
  });
  q.addEventListener("blur", settle);
  by("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    remembered(q.value);
    state.q = q.value;
    if (!(await run({ typed: true })) || !results.value.hits.length) return;
    settle();
    if (results.value.weak) showAnyway();
    if (list.chosen.value < 0) list.choose(0);
    list.focusList();
  });
  by("plus").onclick = () => addWords(1);
  by("minus").onclick = () => addWords(-1);
}

function setUpHead() {
  for (const [id, name] of Object.entries(ICONS)) by(id).append(icon(name));
  by("toggle-side").onclick = () => flip("side");
  by("toggle-details").onclick = () => {
    flip("details");
    showDetails(list.chosenHit() ?? player.sound.value);
  };
  by("open-settings").onclick = openSettings;
  by("open-help").onclick = openHelp;
  by("brand").onclick = (event) => {
    event.preventDefault();
    home();
  };
  by("anyway").onclick = () => {
    showAnyway();
    go(1);
  };
  by("again").onclick = () => run({ push: false });
  by("reset").onclick = () => {
    state.filters = {};
    run();
  };
  by("scrim").onclick = () => set({ side: false, details: false });
}

function showPanels({ side, details }) {
  document.body.classList.toggle("side-open", side);
  document.body.classList.toggle("details-open", details);
  by("side").hidden = !side;
  by("details").hidden = !details;
  by("toggle-side").setAttribute("aria-pressed", side);
  by("toggle-details").setAttribute("aria-pressed", details);
}

function setUp() {
  results.follow(describe); // before the list, which draws as many rows as it has room for
  setUpHead();
  setUpWords();
  setUpTransport({ step: go });
  list.setUpList(actions, {
    favourite: (id) => kept.has(kept.FAVOURITES, id),
    kept: (id) => kept.has(kept.currentCollection()?.id, id),
  });
  setUpDetails({ searchBy, open, copy, close: () => set({ details: false }) });
  setUpShelf({ open, query: current, run: runSaved });
  setUpListening({ term: addTerm });
  setUpWelcome({ search: searchFor, watch, listen, isAsking: () => results.value.kind !== "none" });
  setUpOverlays();
  setUpKeys(keys, () => results.value.kind === "none");
  setUpJobs(async () => {
    forgetFolders();
    readTags();
    await Promise.all([drawWelcome(), run({ push: false })]);
  });
  settings.follow(showPanels);
  kept.members.follow(list.markAll);
  player.ended.follow((count) => count && settings.value.follow && go(1));
  online.follow((is) => {
    by("away").hidden = is;
    if (is && results.value.error instanceof Away) start();
  });
  addEventListener("popstate", start);
  addEventListener("focus", () => kept.refresh().catch(() => {}));
}

setUp();
if (innerWidth < NARROW) set({ side: false, details: false });
else q.focus();
start();
if (location.search) readStatus().catch(sayUnlessAway); // the first screen asks by itself
readSession().catch(sayUnlessAway);
kept.refresh().catch(sayUnlessAway);
readTags();
watch();
