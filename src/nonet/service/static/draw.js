// The drawing page: sends the line, follows the drawing over server-sent events, and goes on after reload or sleep.
import { remember } from "./history.js";
import * as pans from "./pans.js";
import { offer } from "./share.js";
import * as start from "./start.js";
import { load, surprise } from "./surprise.js";
import { watch } from "./viewer.js";

const studio = document.getElementById("studio");
const form = document.getElementById("ask");
const input = document.getElementById("prompt");
const status = document.getElementById("status");
const after = document.getElementById("after");
const moment = (ms) => new Promise((done) => setTimeout(done, ms));
let run = 0; // Which drawing the page follows; what belongs to an older one is not shown any more.
let events = null;

// The first is read out when it changes; the second, which may count seconds, only together with the first.
const [told, detail] = [document.createTextNode(""), document.createElement("small")];
detail.setAttribute("aria-live", "off");

function say(text, more = "") {
  if (told.data !== text) told.data = text;
  if (detail.textContent !== more) detail.textContent = more;
}

const seconds = (value) => `about ${Math.max(1, Math.round(value))} second${Math.round(value) > 1 ? "s" : ""}`;

// ---- sending

/** One try to hand the line in: the answer's status, its JSON, and when to come again. */
async function send(fields, key) {
  try {
    const answer = await fetch("/d", {
      method: "POST",
      headers: { Accept: "application/json", "Idempotency-Key": key },
      body: new URLSearchParams(fields),
    });
    const body = await answer.json().catch(() => ({}));
    return { code: answer.status, body, again: Number(answer.headers.get("Retry-After")) || 5 };
  } catch {
    return { code: 0, body: {}, again: 5 };
  }
}

async function draw(fields) {
  const mine = ++run;
  events?.close();
  await start.keep();
  pans.empty(fields.prompt.trim(), start.face());
  pans.mood("waiting");
  after.replaceChildren();
  say("Handing it in …");
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  for (let tries = 1; mine === run; tries++) {
    const { code, body, again } = await send(fields, key);
    if (mine !== run) return;
    if (code === 200 || code === 202) {
      history.pushState({}, "", body.page);
      document.title = `${fields.prompt.trim()} – nine pictures by Nonet`;
      remember(body.id, fields.prompt.trim());
      studio.dataset.id = body.id;
      after.replaceChildren(document.getElementById("working").content.cloneNode(true));
      after.querySelector("form").action = `${body.page}/cancel`;
      follow(body.id, mine);
      return;
    }
    if (![0, 429, 502, 503, 504].includes(code)) {
      refused(body.error ?? {});
      return;
    }
    if (again > 600) {
      const minutes = Math.ceil(again / 60);
      const later = minutes < 90 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
      refused({ message: body.error?.message, hint: `It can be handed in again in ${later}.` });
      return;
    }
    await waitOutside(code, again, tries, mine);
  }
}

/** Too many are drawing: a countdown instead of an alert, then another try by itself. */
async function waitOutside(code, again, tries, mine) {
  const why = { 0: "The site does not answer.", 429: "That was a lot of drawings." }[code] ?? "Every brush is busy.";
  const stop = document.createElement("button");
  stop.className = "small";
  stop.textContent = "Stop waiting";
  stop.addEventListener("click", () => { run++; pans.mood("idle"); say("Not handed in."); after.replaceChildren(...start.ideas()); });
  after.replaceChildren(stop);
  // People who were sent away together should not come back together.
  const until = Date.now() + again * 1000 * (1 + Math.random() * 0.2);
  while (mine === run && Date.now() < until) {
    say(why, `Yours goes in by itself: try ${tries + 1} in ${Math.ceil((until - Date.now()) / 1000)} s`);
    await moment(250);
  }
}

function refused({ code, category, message, hint }) {
  // A line that is not drawn is no accident, and some are no joke: no crossed eyes, no repetition, no funny ideas.
  const quiet = code === "prompt_refused";
  pans.mood(quiet ? "calm" : "failed");
  if (quiet) pans.caption("Not this one.");
  say(message ?? "That did not work.", hint ?? "");
  after.replaceChildren(...(category === "self-harm" ? [] : start.ideas()));
  input.focus();
}

// ---- following

function follow(id, mine) {
  const count = document.getElementById("pans").children.length;
  const shares = new Array(count).fill(0);
  const ready = new Set();
  const pending = [];
  let opened = performance.now();
  let first = null;
  const source = (events = new EventSource(`/api/drawings/${id}/events`));
  const on = (kind, act) => source.addEventListener(kind, (event) => {
    if (mine === run) act(JSON.parse(event.data || "{}"));
  });
  // After a break, too, the speed is measured anew.
  source.onopen = () => { opened = performance.now(); first = null; };
  pans.mood("waiting");

  /** How far it is, and when it will be done if it goes on as since this page began to watch. */
  const tell = () => {
    const now = { at: performance.now(), share: shares.reduce((sum, one) => sum + one, 0) / count };
    // What comes at once when the page was opened in the middle is no measure of speed.
    if (now.at - opened > 700) first ??= now;
    const speed = first ? (now.share - first.share) / (now.at - first.at) : 0;
    const left = first && now.share - first.share > 0.05 ? (1 - now.share) / speed / 1000 : null;
    const more = left === null ? "" : left > 0.5 ? `${seconds(left)} left` : "any moment now";
    say(ready.size ? `${ready.size} of ${count} drawn` : "Drawing", more);
  };
  on("place", (data) => {
    if (!data.place) return;
    const wait = data.eta_seconds ? `${seconds(data.eta_seconds)} until yours is drawn` : "";
    say(data.place === 1 ? "Next in line" : `Number ${data.place} in line`, wait);
  });
  on("started", () => { pans.mood("drawing"); tell(); });
  on("progress", (data) => {
    shares[data.picture] = data.done / data.total;
    pans.mood("drawing");
    pans.progress(data.picture, shares[data.picture]);
    pans.look(Math.floor(Math.random() * count));
    tell();
  });
  on("partial", (data) => { pans.mood("drawing"); pans.partial(data.picture, data.webp); });
  on("drawn", (data) => {
    ready.add(data.picture);
    shares[data.picture] = 1;
    pending.push(pans.drawn(data.picture, data.url));
    tell();
  });
  on("done", async () => { source.close(); await Promise.all(pending); finish(id, mine); });
  for (const kind of ["failed", "cancelled", "expired"]) on(kind, () => { source.close(); finish(id, mine); });
  source.onerror = async () => {
    // The browser connects again by itself (with Last-Event-ID) unless the server said no.
    if (mine !== run || source.readyState !== EventSource.CLOSED) return;
    say("The connection is lost.", "Trying again …");
    await moment(3000 + Math.random() * 2000);
    if (mine === run) resume(id, mine);
  };
}

/** After a lost connection or sleep: ask where the drawing is, and go on from there. */
async function resume(id, mine) {
  const answer = await fetch(`/api/drawings/${id}`).catch(() => null);
  if (mine !== run) return;
  if (answer?.status === 404) return refused({ message: "This drawing is not here any more." });
  const state = answer?.ok ? (await answer.json()).state : "";
  if (state && state !== "queued" && state !== "drawing") finish(id, mine);
  else follow(id, mine);
}

/** The end as the server tells it: pictures with their sources, and what can be done with them. */
async function finish(id, mine) {
  let answer = null;
  while (!answer?.ok) {
    answer = await fetch(`/d/${id}`).catch(() => null);
    if (mine !== run) return;
    if (answer?.status === 404) return refused({ message: "This drawing is not here any more." });
    if (!answer?.ok) await moment(2000);
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const state = page.getElementById("studio").dataset.state;
  if (mine !== run) return;
  const fresh = page.querySelectorAll("#pans > li");
  const shown = document.querySelectorAll("#pans > li");
  for (const [index, item] of fresh.entries()) {
    const link = shown[index]?.querySelector("a");
    const source = item.querySelector("a");
    if (link && source) {
      link.dataset.sources = source.dataset.sources;
      link.querySelector("img").alt = source.querySelector("img").alt;
    } else shown[index]?.replaceWith(document.importNode(item, true));
  }
  studio.dataset.state = state;
  pans.mood(state === "drawn" ? "drawn" : "failed");
  document.getElementById("plate").textContent = page.getElementById("plate").textContent;
  after.replaceChildren(...page.getElementById("after").childNodes);
  const said = page.getElementById("status");
  say(said.firstChild?.textContent.trim() ?? "", said.querySelector("small")?.textContent ?? "");
  offer(say);
}

// ---- the page's own controls

function fieldsOf(from, submitter) {
  const data = new FormData(from, submitter);
  return Object.fromEntries([...data].filter(([, value]) => value !== ""));
}

document.addEventListener("submit", (event) => {
  const from = event.target;
  if (from.hasAttribute("data-cancel")) {
    event.preventDefault();
    fetch(from.action, { method: "POST" }).catch(() => say("The site does not answer."));
    return;
  }
  if (from !== form && !from.hasAttribute("data-again")) return;
  event.preventDefault();
  const fields = fieldsOf(from, event.submitter);
  if (!fields.prompt?.trim()) return;
  input.value = fields.prompt;
  draw(fields);
  if (matchMedia("(max-width: 60rem)").matches) document.getElementById("tin").scrollIntoView({ block: "nearest" });
});

input.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
input.addEventListener("input", () => pans.glance(Math.min(1, input.value.length / 60)));

document.getElementById("surprise").addEventListener("click", (event) => {
  const line = surprise();
  if (!line) return;
  event.preventDefault();
  input.value = line;
  pans.glance(Math.random());
});

addEventListener("popstate", () => location.reload());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && events?.readyState === EventSource.CLOSED && isWorking()) resume(studio.dataset.id, run);
});
const isWorking = () => document.getElementById("tin").classList.contains("working");

told.data = status.firstChild?.textContent.trim() ?? "";
detail.textContent = status.querySelector("small")?.textContent ?? "";
status.replaceChildren(told, detail);
watch();
load(studio.dataset.surprise).catch(() => {});
if (studio.dataset.id) {
  if (["queued", "drawing"].includes(studio.dataset.state)) follow(studio.dataset.id, run);
  else offer(say);
}
