// Events as they happen.
import { renew, updates } from "./renew.js";

const SOONEST = 1000; // ms between two looks at the lanes
const LINES = 12; // events that are shown
const KEPT = 500; // events that wait to be shown, at most
const KINDS = ["connect", "accept", "release", "listener-closed", "attempt"];

const happens = document.getElementById("happens");
const socket = new URLSearchParams(location.search).get("path");

let waiting = [];
let seen = 0;
let missed = 0;
let drawn = false; // a frame is asked for
let renewed = 0;
let due = 0;

const lanesAddress = () => {
  const parameters = new URLSearchParams(location.search);
  const wanted = new URLSearchParams();
  for (const name of ["path", "range", "from", "to"]) if (parameters.has(name)) wanted.set(name, parameters.get(name));
  return `/lanes?${wanted}`;
};

const renewLanes = () => {
  if (due) return;
  due = setTimeout(() => {
    due = 0;
    renewed = performance.now();
    renew(lanesAddress(), "lanes");
  }, Math.max(0, SOONEST - (performance.now() - renewed)));
};

const sentence = (event) => {
  const who = `${event.program || event.comm || "somebody"} ${event.pid || ""}`.trim();
  switch (event.type) {
    case "connect": return `${who} connects`;
    case "accept": return `${who} accepts`;
    case "release": return `${who}: ${event.end} end released (${event.reason})`;
    case "listener-closed": return `${who}: listener closed (${event.reason})`;
    case "attempt": return `${who}: connect fails, ${event.error}`;
    default: return `${who}: ${event.type}`;
  }
};

const plain = (text) => text.replace(/[\p{C}\u2028\u2029]/gu, "\ufffd");

const line = (event) => {
  const item = document.createElement("li");
  item.append(`${event.time.slice(11, 23)}  `);
  if (event.connection !== undefined) {
    const link = document.createElement("a");
    link.href = `/connection/${event.connection}`;
    link.textContent = event.connection;
    item.append(link, "  ");
  }
  item.append(plain(sentence(event)));
  return item;
};

// All that came since the last frame, at once.
const show = () => {
  drawn = false;
  if (updates.paused) return;
  const list = document.getElementById("event-list");
  const own = waiting.splice(0).map((data) => JSON.parse(data)).filter((event) => event.path === socket);
  if (!own.length && !missed) return;
  seen += own.length;
  list.prepend(...own.slice(-LINES).reverse().map(line));
  while (list.childElementCount > LINES) list.lastElementChild.remove();
  const more = missed ? `, and ${missed} on all sockets that came too fast to be told` : "";
  document.getElementById("event-count").textContent = `${seen} events since this page was loaded${more}.`;
  if (own.length) renewLanes();
};

const take = ({ data }) => {
  waiting.push(data);
  if (waiting.length > KEPT) missed += waiting.splice(0, waiting.length - KEPT).length;
  if (!drawn) {
    drawn = true;
    requestAnimationFrame(show);
  }
};

// Browsers have few connections to one service: a tab that nobody looks at keeps none.
let source = null;
export const stopListening = () => {
  if (source) source.close();
  source = null;
};

// A stream that was refused stays closed: it is asked for anew.
export const listen = () => {
  if (!happens || document.hidden) return;
  happens.hidden = false;
  if (source && source.readyState !== EventSource.CLOSED) return;
  source = new EventSource("/api/v1/events");
  for (const kind of KINDS) source.addEventListener(kind, take);
  source.addEventListener("missed", ({ data }) => { missed += JSON.parse(data).count; });
  // Whether the service answers is found out at once, and not at the next look.
  source.addEventListener("error", () => renew(location.href, "main"));
};
