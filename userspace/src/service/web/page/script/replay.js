// A recording that is played: stops it, goes on, and seeks.
import { say } from "./outage.js";
import { afterRenewal, renew } from "./renew.js";
import { moment } from "./zone.js";

const LOOK = 250; // ms between two moments that are shown
const SOON = 400; // ms after which what was sought is shown
const WORDS = { seeking: "seeking", playing: "replaying", paused: "replay paused", ended: "at the recording's end" };

const play = document.getElementById("play");
const speed = document.getElementById("speed");
const seek = document.getElementById("seek");
const shown = document.getElementById("moment");

let known = null; // what was answered last
let heard = 0; // when
let isDragged = false;

// The moment that is played now, as far as that can be told here.
const now = () => {
  const goesOn = known.state === "playing" ? (performance.now() - heard) * known.speed : 0;
  return Math.min(known.at_ms + goesOn, known.end_ms);
};

const tell = (at) => {
  const text = moment(at);
  if (shown.textContent !== text) shown.textContent = text;
  seek.setAttribute("aria-valuetext", text);
};

const draw = () => {
  if (!known || isDragged) return;
  const at = now();
  seek.value = String(Math.round(at));
  tell(at);
};

const show = (playing) => {
  known = playing;
  heard = performance.now();
  play.textContent = playing.state === "playing" || playing.state === "seeking" ? "❚❚ Pause" : "▶ Play";
  const value = String(playing.speed ?? "");
  if (playing.speed && ![...speed.options].some((option) => option.value === value)) speed.append(new Option(`${value} ×`, value));
  if (document.activeElement !== speed) speed.value = value;
  say(WORDS[playing.state]);
  draw();
};

let asked = 0;
const ask = async (parameters) => {
  asked += 1;
  const mine = asked;
  const change = parameters ? { method: "POST", headers: { "Sockleak-Control": "1" } } : {};
  const response = await fetch(`/api/v1/replay${parameters ? `?${new URLSearchParams(parameters)}` : ""}`, change);
  if (!response.ok) return;
  const playing = await response.json();
  // What was asked for before that is out of date.
  if (mine === asked) show(playing);
};

// Whether the service answers at all is told by the renewal of the page.
const look = () => ask().catch(() => {});

const change = async (parameters) => {
  await ask(parameters).catch(() => {});
  renew(location.href, "main", true);
  setTimeout(() => {
    look();
    renew(location.href, "main", true);
  }, SOON);
};

// Is it a recording?
export const offerReplay = () => {
  if (!seek) return false;
  document.getElementById("controls").hidden = false;
  play.addEventListener("click", () => {
    if (!known) return;
    if (known.state === "ended") change({ state: "playing", at: known.begin_ms });
    else change({ state: known.state === "paused" ? "playing" : "paused" });
  });
  speed.addEventListener("change", () => change({ speed: speed.value }));
  seek.addEventListener("input", () => {
    isDragged = true;
    tell(Number(seek.value));
  });
  seek.addEventListener("change", () => {
    isDragged = false;
    change({ at: seek.value });
  });
  afterRenewal(look);
  setInterval(draw, LOOK);
  look();
  return true;
};
