// One row of the list, which shows another sound whenever the list is scrolled.

import { element, icon, many, time, tool } from "./dom.js";
import { listenTo, outline, paint } from "./outline.js";
import { channelsOf, folderOf, kilohertz, link, nameOf } from "./sounds.js";

// The first two of these that a file has are shown as its tags.
const TAGS = ["category", "subcategory", "genre", "title", "keywords", "description", "comment", "library", "originator"];
const LONGEST_TAG = 28;

function tagsOf({ tags, metadata }) {
  const values = TAGS.map((name) => tags?.[name]).concat(Object.values(metadata ?? {}));
  const texts = values.filter((value) => typeof value === "string" && value.trim() && value.length <= LONGEST_TAG);
  return [...new Set(texts)].slice(0, 2);
}

const cell = (name, ...children) => element("div", { className: `cell ${name}`, role: "gridcell" }, ...children);

export class Row {
  // `actions`: {toggle, playAt, mark, choose, details, more, less, favourite, keep, download, copy}, each of a hit.
  constructor(actions) {
    this.hit = null;
    const act = (name) => (event) => {
      event.stopPropagation();
      actions[name](this.hit);
    };
    const quiet = { tabIndex: -1 }; // the list is one stop of the tab key; each of these has a key of its own
    this.button = tool("play", "Play", act("toggle"), quiet);
    this.star = tool("star", "Favourite", act("favourite"), quiet);
    this.box = tool("keep", "Put into the collection", act("keep"), quiet);
    this.name = element("span", { className: "name" });
    this.folder = element("span", { className: "folder" });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.heard = cell("heard");
    this.length = cell("length");
    this.tags = cell("tags");
    this.kind = cell("kind");
    this.bar = element("span", { className: "bar" }, element("span"));
    this.match = cell("match", this.bar);
    const tools = element("div", { className: "tools" }, this.star, this.box,
      tool("more", "More like this (m)", act("more"), quiet), tool("less", "Less like this (x)", act("less"), quiet),
      tool("download", "Download (d)", act("download"), quiet), tool("copy", "Copy the path (c)", act("copy"), quiet),
      tool("details", "Details (Enter)", act("details"), quiet));
    this.root = element("div", { className: "row", role: "row", draggable: true },
      cell("play", this.button), cell("title", this.name, this.folder), cell("wave", this.canvas), this.heard,
      this.length, this.tags, this.kind, this.match, cell("acts", tools));
    this.root.addEventListener("click", () => actions.choose(this.hit));
    this.root.addEventListener("dblclick", () => actions.details(this.hit));
    this.root.addEventListener("dragstart", (event) => this.drag(event));
    listenTo(this.canvas, () => [0, this.hit.duration], {
      onClick: (second) => actions.playAt(this.hit, second),
      onDrag: (start, end, isOver) => actions.mark(this.hit, start, end, isOver),
    });
    this.canvas.addEventListener("click", (event) => event.stopPropagation());
  }

  drag(event) {
    const { hit } = this;
    const name = nameOf(hit);
    event.dataTransfer.setData("DownloadURL", `application/octet-stream:${name}:${link(hit)}`);
    event.dataTransfer.setData("text/uri-list", link(hit));
    event.dataTransfer.setData("text/plain", hit.path);
    event.dataTransfer.effectAllowed = "copy";
  }

  fill(hit, index, best) {
    if (this.hit !== hit) {
      this.hit = hit;
      this.peaks = null;
      this.name.textContent = nameOf(hit);
      const copies = hit.copies?.length ? ` · ${many(hit.copies.length, "copy", "copies")}` : "";
      this.folder.textContent = folderOf(hit) + copies;
      this.root.title = hit.path;
      this.whole = hit.start <= 0 && hit.end >= hit.duration - 0.05;
      this.heard.textContent = this.whole ? "" : `${time(hit.start)} – ${time(hit.end)}`;
      this.length.textContent = time(hit.duration);
      this.tags.replaceChildren(...tagsOf(hit).map((text) => element("span", { className: "tag", textContent: text })));
      this.kind.textContent = `${hit.format} · ${kilohertz(hit.sample_rate)} · ${channelsOf(hit.channels)}`;
      outline(hit.id, (peaks) => {
        if (this.hit?.id !== hit.id) return;
        this.peaks = peaks;
        this.paint();
      }, () => this.hit?.id === hit.id && this.root.isConnected);
    }
    const share = hit.score === null ? null : Math.max(0, Math.min(1, hit.score / Math.max(best, 0.01)));
    this.bar.hidden = share === null;
    this.bar.firstChild.style.width = `${100 * (share ?? 0)}%`;
    this.match.title = share === null ? "" : `score ${hit.score.toFixed(3)}, above ${hit.percentile.toFixed(0)} % of the library`;
    this.root.classList.toggle("weak", Boolean(hit.weak));
    this.root.id = `row-${index}`;
    this.root.setAttribute("aria-rowindex", index + 2);
  }

  mark({ selected, playing, loaded, favourite, kept, part, played }) {
    const { root, hit } = this;
    root.setAttribute("aria-selected", selected);
    root.classList.toggle("loaded", loaded);
    root.classList.toggle("playing", playing);
    root.classList.toggle("favourite", favourite);
    root.classList.toggle("kept", kept);
    this.swap(this.button, playing ? "pause" : "play", `${playing ? "Pause" : "Play"} ${nameOf(hit)}`);
    this.swap(this.star, favourite ? "starred" : "star", favourite ? "No favourite any more (f)" : "Favourite (f)");
    this.swap(this.box, kept ? "kept" : "keep", kept ? "Take out of the collection (b)" : "Put into the collection (b)");
    this.part = part;
    this.played = played;
    this.paint();
  }

  swap(target, name, label) {
    if (target.icon === name) return;
    target.icon = name;
    target.replaceChildren(icon(name));
    target.title = label;
    target.setAttribute("aria-label", label);
  }

  paint() {
    const { hit, peaks, part, played } = this;
    paint(this.canvas, { peaks, from: 0, to: hit.duration, hit: this.whole ? null : [hit.start, hit.end], part, played });
  }
}
