// Keeps the page up to date: it asks for itself again and puts what changed in its place, sooner when events tell of something.
// Whatever comes from elsewhere is text here: nothing is ever read as markup but the service's own pages, which escape it.
"use strict";

(() => {
  const EVERY = 5000; // ms between two looks at the whole page
  const SOONEST = 1000; // ms between two looks at the lanes
  const LINES = 12; // events that are shown
  const KEPT = 500; // events that wait to be shown, at most

  const live = document.getElementById("live");
  const pause = document.getElementById("pause");
  const happens = document.getElementById("happens");
  const socket = new URLSearchParams(location.search).get("path");
  let paused = false;

  const say = (text) => {
    if (live.textContent !== text) live.textContent = text;
  };

  // ---- what changed, put in its place -------------------------------------------------------------------------------------

  const syncAttributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      // Whoever opened a part wants to see it, and the script's own parts are its own.
      if (name !== "open" && name !== "hidden" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && name !== "hidden" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  // Makes `old` like `fresh` and keeps every node that can stay: focus, selection and scrolling stay with it.
  const morph = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.id === "happens") return;
    syncAttributes(old, fresh);
    const keyed = new Map();
    for (const child of old.children) if (child.dataset && child.dataset.key) keyed.set(child.dataset.key, child);
    const wanted = [...fresh.childNodes];
    wanted.forEach((child, place) => {
      const key = child.dataset && child.dataset.key;
      const known = key ? keyed.get(key) : undefined;
      const there = old.childNodes[place];
      if (known && known !== there) old.insertBefore(known, there || null);
      const now = old.childNodes[place];
      if (!now) old.append(child);
      else if (key && !known) old.insertBefore(child, now);
      else morph(now, child);
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  };

  const load = async (address) => {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    if (!response.ok) throw new Error(String(response.status));
    return new DOMParser().parseFromString(await response.text(), "text/html");
  };

  let busy = false;
  const renew = async (address, id) => {
    if (busy || paused || document.hidden) return;
    busy = true;
    try {
      const began = performance.now();
      const fresh = (await load(address)).getElementById(id);
      const old = document.getElementById(id);
      if (fresh && old && !paused) morph(old, fresh);
      performance.measure(`renew ${id}`, { start: began });
      say("live");
    } catch (error) {
      say(`not up to date: ${/^\d+$/.test(error.message) ? `the service answers ${error.message}` : "the service does not answer"}`);
    } finally {
      busy = false;
    }
  };

  // ---- events as they happen ----------------------------------------------------------------------------------------------

  let waiting = [];
  let seen = 0;
  let missed = 0;
  let drawn = false; // a frame is asked for
  let renewed = 0;
  let due = 0;

  const lanesAddress = () => {
    const parameters = new URLSearchParams(location.search);
    parameters.delete("offset");
    return `/lanes?${parameters}`;
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
    if (paused) return;
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
  const listen = () => {
    if (document.hidden || source) return;
    source = new EventSource("/api/v1/events");
    for (const kind of ["connect", "accept", "release", "listener-closed", "attempt"]) source.addEventListener(kind, take);
    source.addEventListener("missed", ({ data }) => { missed += JSON.parse(data).count; });
  };
  const stopListening = () => {
    if (source) source.close();
    source = null;
  };

  // ---- begin --------------------------------------------------------------------------------------------------------------

  // What is newest is at the right: on a narrow screen it is what one wants to see first.
  const history = document.querySelector("svg[aria-labelledby^='history']");
  if (history) history.parentElement.scrollLeft = history.parentElement.scrollWidth;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    say(paused ? "paused" : "live");
    if (!paused) renew(location.href, "main");
  });
  say("live");
  setInterval(() => renew(location.href, "main"), EVERY);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return stopListening();
    if (happens) listen();
    return renew(location.href, "main");
  });
  addEventListener("pagehide", stopListening);
  if (happens) {
    happens.hidden = false;
    listen();
  }
})();
