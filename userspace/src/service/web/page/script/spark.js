// Draws in each row of the overview how many connections were open over the last hour, from the API's series.
import { afterRenewal, updates } from "./renew.js";

const HOUR = 3600000; // ms
const MINUTE = 60000; // ms
const POINTS = 60;
const AT_ONCE = 4; // questions at a time
const [WIDTH, HEIGHT] = [96, 22]; // in units of the picture
const SVG = document.querySelector("svg").namespaceURI; // every page has one

let drawn = null; // the minute that is drawn
let busy = false;

const element = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
};

// A minute that was not watched has no point: the line is broken there.
const path = (points, from, highest) => {
  const x = (at) => (((at - from + MINUTE / 2) / HOUR) * WIDTH).toFixed(1);
  const y = (count) => (HEIGHT - 1.5 - (count / highest) * (HEIGHT - 3)).toFixed(1);
  let before = null;
  return points.map(({ at_ms: at, open_last: open }) => {
    const begins = before === null || at - before > 1.5 * MINUTE;
    before = at;
    // A point alone is a dot.
    return `${begins ? `M${x(at)} ${y(open)}h.1` : ""}L${x(at)} ${y(open)}`;
  }).join("");
};

const draw = (cell, points, from) => {
  if (!points.length) {
    cell.textContent = "–";
    return;
  }
  const counts = points.map((point) => point.open_last);
  const [first, last, highest] = [counts[0], counts.at(-1), Math.max(...counts)];
  const words = `${first} open at first, ${last} at last, at most ${highest}`;
  const picture = element("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words });
  const title = element("title", {});
  title.textContent = words;
  picture.append(title, element("path", { d: path(points, from, Math.max(highest, 1)) }));
  cell.replaceChildren(picture);
};

const ask = async (cell, from, to) => {
  const query = new URLSearchParams({ socket: cell.dataset.spark, from, to, points: POINTS });
  const response = await fetch(`/api/v1/series?${query}`, { signal: AbortSignal.timeout(10000) });
  // Where no history is kept there is nothing to draw.
  draw(cell, response.ok ? (await response.json()).points : [], from);
};

const renew = async () => {
  const cells = [...document.querySelectorAll("[data-spark]")];
  const shown = cells.find((cell) => cell.closest("[data-now]"));
  if (!shown || busy || updates.paused) return;
  // The last minute that is over; of a replay, by the recording's clock.
  const to = Math.floor(Number(shown.closest("[data-now]").dataset.now) / MINUTE) * MINUTE;
  const missing = cells.filter((cell) => to !== drawn || !cell.firstChild);
  if (!missing.length) return;
  busy = true;
  const queue = missing.values();
  const work = async () => {
    for (const cell of queue) await ask(cell, to - HOUR, to).catch(() => {});
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  drawn = to;
  busy = false;
};

export const offerSparks = () => {
  afterRenewal(renew);
  renew();
};
