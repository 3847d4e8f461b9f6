// Asks for the page again, and puts what changed in its place.
// Whatever comes from elsewhere is text here: nothing is ever read as markup but the service's own pages, which escape it.
import { morph } from "./morph.js";
import { answered, isOut, unanswered } from "./outage.js";
import { showTimes } from "./zone.js";

const PATIENCE = 15000; // ms for an answer

const after = [];
let busy = false;
let next = null; // what is asked for when the question under way is answered

export const updates = { paused: false };

// `then` runs when something was put in its place.
export const afterRenewal = (then) => after.push(then);

const load = async (address) => {
  const response = await fetch(address, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) {
    const error = new Error(String(response.status));
    error.status = response.status;
    throw error;
  }
  return new DOMParser().parseFromString(await response.text(), "text/html");
};

// `asked` by the reader: then it comes even if updates are paused.
export const renew = async (address, id, asked = false) => {
  if ((updates.paused && !asked) || document.hidden) return;
  if (busy) {
    if (asked) next = [address, id];
    return;
  }
  busy = true;
  try {
    const began = performance.now();
    const fresh = (await load(address)).getElementById(id);
    const old = document.getElementById(id);
    const wanted = asked || !updates.paused;
    if (fresh && old && wanted && !next) {
      morph(old, fresh);
      showTimes();
      after.forEach((then) => then());
    }
    performance.measure(`renew ${id}`, { start: began });
    answered();
  } catch (error) {
    unanswered(error.status);
  } finally {
    busy = false;
  }
  if (next) {
    const [address, id] = next;
    next = null;
    renew(address, id, true);
  }
};

// Did the last question go unanswered?
export const isStale = isOut;
