// Says loudly that the service does not answer, since when, and from when what is shown is.
import { clock } from "./zone.js";

const banner = document.getElementById("outage");
const live = document.getElementById("live");
const title = document.title;
const QUIET = 15000; // ms for which it is said that an outage is over

let since = 0; // ms since 1970 of the first question without an answer; 0 while all are answered
let last = Date.now(); // of the last answer
let usual = "live";
let settled = 0;

// What is said while all is well.
export const say = (text) => {
  usual = text;
  if (!since && !settled && live.textContent !== text) live.textContent = text;
};

export const isOut = () => since > 0;

export const answered = () => {
  last = Date.now();
  if (!since) {
    say(usual);
    return;
  }
  const from = since;
  since = 0;
  banner.hidden = true;
  banner.textContent = "";
  document.body.classList.remove("stale");
  document.title = title;
  live.textContent = `answers again; no answer from ${clock(from)} to ${clock(last)}`;
  clearTimeout(settled);
  settled = setTimeout(() => {
    settled = 0;
    say(usual);
  }, QUIET);
};

// `status` is what was answered instead, if anything was.
export const unanswered = (status) => {
  since ||= Date.now();
  const what = status ? `The service answers ${status} since` : "The service does not answer since";
  const text = `✗ ${what} ${clock(since)}. What is shown is from ${clock(last)}. The page tries again every 5 s.`;
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = false;
  document.body.classList.add("stale");
  document.title = `✗ no answer · ${title}`;
  live.textContent = "not up to date";
};
