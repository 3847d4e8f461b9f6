// Times in UTC, as the service writes them, or in the reader's own zone. The choice is remembered.

const KEY = "sockleak-times";
const button = document.getElementById("zone");
const two = (number) => String(number).padStart(2, "0");

// A browser may keep nothing.
const remembered = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
};
const remember = (choice) => {
  try {
    localStorage.setItem(KEY, choice);
  } catch { /* Then it is asked for again. */ }
};

let local = remembered() === "local";

const parts = (ms) => {
  const at = new Date(ms);
  const read = (what) => (local ? at[`get${what}`]() : at[`getUTC${what}`]());
  return {
    day: `${read("FullYear")}-${two(read("Month") + 1)}-${two(read("Date"))}`,
    minute: `${two(read("Hours"))}:${two(read("Minutes"))}`,
    second: two(read("Seconds")),
    rest: String(at.getMilliseconds()).padStart(3, "0"),
  };
};

const suffix = (ms) => {
  if (!local) return "UTC";
  const offset = -new Date(ms).getTimezoneOffset();
  return `UTC${offset < 0 ? "−" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
};

// HH:MM:SS of a moment.
export const clock = (ms) => {
  const { minute, second } = parts(ms);
  return `${minute}:${second}`;
};

// A moment as the service writes it; `form` says how exactly.
export const moment = (ms, form = "second") => {
  const { day, minute, second, rest } = parts(ms);
  switch (form) {
    case "day": return day.slice(5);
    case "minute": return minute;
    case "clock": return `${minute}:${second}`;
    case "milli": return `${day} ${minute}:${second}.${rest} ${suffix(ms)}`;
    default: return `${day} ${minute}:${second} ${suffix(ms)}`;
  }
};

// Writes all times on the page.
export const showTimes = () => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const ms = Date.parse(time.getAttribute("datetime"));
    const form = time.dataset.form || (/\.\d{3} /.test(time.textContent) ? "milli" : "second");
    const text = moment(ms, form);
    if (time.textContent !== text) time.textContent = text;
  }
  for (const tick of document.querySelectorAll("svg text[data-at]")) {
    const text = moment(Number(tick.dataset.at), tick.dataset.form);
    if (tick.textContent !== text) tick.textContent = text;
  }
};

export const offerZones = (changed) => {
  const name = () => {
    button.setAttribute("aria-pressed", String(local));
    button.title = local ? "Times are in your zone" : "Times are in UTC";
  };
  button.hidden = false;
  name();
  showTimes();
  button.addEventListener("click", () => {
    local = !local;
    remember(local ? "local" : "utc");
    name();
    showTimes();
    changed();
  });
};
