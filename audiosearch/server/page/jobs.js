// A running index run: how far it is, and what came of it.

import { ask, send } from "./api.js";
import { by, many, number, say } from "./dom.js";

const IDLE = 5000; // ms between two looks
const BUSY = 700;

let watched = null;
let waiting = null;
let done = () => {};

function show(job) {
  by("job").hidden = !job;
  if (!job) return;
  const { stage, done: count = 0, total, failed = 0 } = job.progress ?? {};
  const bar = by("job-bar");
  if (total) [bar.max, bar.value] = [total, count];
  else bar.removeAttribute("value");
  const far = total ? `${number(count)} of ${many(total, "file")}` : stage === "cache" ? "Writing the index" : `${many(count, "file")} so far`;
  by("job-words").textContent = `Indexing: ${far}${failed ? `, ${number(failed)} failed` : ""}`;
}

function tell({ state, summary, error }) {
  if (state === "failed") return say(`Indexing failed: ${error}`);
  if (!summary) return say(`Indexing is ${state}.`);
  const { added, updated, moved, removed, failures } = summary;
  const parts = [[added, "added"], [updated, "updated"], [moved, "moved"], [removed, "removed"], [failures.length, "failed"]];
  const words = parts.filter(([count]) => count).map(([count, what]) => `${number(count)} ${what}`);
  return say(`Indexed: ${words.join(", ") || "nothing changed"}.`);
}

// `begun` is a job that was started here: its end is told, however soon it comes.
export async function watch(begun) {
  clearTimeout(waiting);
  if (begun) {
    watched = begun.id;
    show(begun);
  }
  try {
    if (!document.hidden) await look();
  } catch {
    // the server is away, which the page says elsewhere
  }
  waiting = setTimeout(watch, watched ? BUSY : IDLE);
}

async function look() {
  const { jobs } = await ask("v1/jobs?k=5");
  const job = jobs.find(({ state }) => state === "running") ?? jobs.find(({ state }) => state === "queued");
  const before = watched;
  watched = job?.id ?? null;
  show(job);
  if (before && !jobs.some(({ id, state }) => id === before && (state === "running" || state === "queued"))) {
    await done();
    tell(await ask(`v1/jobs/${before}`));
  }
}

// `onDone` is called when a run is over, before its outcome is said.
export function setUpJobs(onDone) {
  done = onDone;
  by("job-stop").onclick = async () => {
    try {
      await send("DELETE", `v1/jobs/${watched}`);
    } catch (error) {
      say(error.message);
    }
  };
  document.addEventListener("visibilitychange", () => document.hidden || watch());
}
