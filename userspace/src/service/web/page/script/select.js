// Chooses a range by dragging in the chart of a socket: it goes into the address, and the browser's history leads back.
import { momentAt } from "./chart.js";

const FAR = 8; // px: less is no drag

let began = null; // where, in pixels of the window

const mark = () => document.querySelector("#chart .selection");

const show = (x) => {
  const selection = mark();
  const around = selection.parentElement.getBoundingClientRect();
  const [left, right] = [Math.min(began, x), Math.max(began, x)];
  selection.hidden = Math.abs(x - began) < FAR;
  selection.style.left = `${Math.max(left - around.left, 0)}px`;
  selection.style.width = `${Math.min(right, around.right) - Math.max(left, around.left)}px`;
};

const giveUp = () => {
  began = null;
  if (mark()) mark().hidden = true;
};

const choose = (one, other) => {
  const [from, to] = [momentAt(one), momentAt(other)].sort((a, b) => a - b);
  const address = new URL(location.href);
  address.searchParams.delete("range");
  address.searchParams.delete("offset");
  address.searchParams.set("from", String(Math.floor(from)));
  address.searchParams.set("to", String(Math.ceil(to)));
  address.hash = "over-time";
  location.assign(address);
};

export const offerSelection = () => {
  addEventListener("pointerdown", (event) => {
    const isIn = event.target.closest && event.target.closest("#chart .plot");
    began = isIn && event.isPrimary && event.button === 0 ? event.clientX : null;
    // Otherwise the letters of the picture would be selected.
    if (began !== null && event.pointerType === "mouse") event.preventDefault();
  });
  addEventListener("pointermove", (event) => {
    if (began !== null && event.isPrimary && mark()) show(event.clientX);
  });
  addEventListener("pointerup", (event) => {
    if (began === null || !event.isPrimary) return;
    const from = began;
    giveUp();
    if (Math.abs(event.clientX - from) >= FAR) choose(from, event.clientX);
  });
  addEventListener("pointercancel", giveUp);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") giveUp();
  });
};
