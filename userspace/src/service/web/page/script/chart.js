// Reads a picture of counts over time: a line at a step, and its counts in the legend. By mouse, touch or keyboard.
import { afterRenewal } from "./renew.js";
import { moment } from "./zone.js";

let step = null; // the moment at which the step begins that is read, milliseconds since 1970; null: none
let isPointed = false; // by a mouse, which leaves again

const chart = () => document.getElementById("chart");
const starts = (plot) => plot.dataset.starts.split(" ").map(Number);

// The part of the picture that is shown, where its axis is: in pixels of the page.
const area = (plot) => {
  const shown = [...plot.querySelectorAll("svg")].find((it) => it.checkVisibility());
  const axis = shown.querySelector(".axis").getBoundingClientRect();
  const around = plot.getBoundingClientRect();
  const picture = shown.getBoundingClientRect();
  return { left: axis.left - around.left, width: axis.width, bottom: axis.bottom - around.top, top: picture.top - around.top, at: axis.left };
};

const hide = (figure) => {
  for (const reading of figure.querySelectorAll(".reading")) reading.textContent = "";
  figure.querySelector(".crosshair").hidden = true;
  document.getElementById("probed").textContent = "none";
};

// Shows the step that is read: it keeps its moment while the page is renewed.
const draw = () => {
  const figure = chart();
  if (!figure) return;
  const probe = document.getElementById("probe");
  probe.hidden = false;
  const plot = figure.querySelector(".plot");
  const begin = Number(figure.dataset.begin);
  const nth = step === null ? -1 : starts(plot).indexOf(step - begin);
  if (nth < 0) return hide(figure);
  const text = moment(step, "minute") === moment(step, "clock").slice(0, 5) ? moment(step) : moment(step, "milli");
  document.getElementById("probed").textContent = text;
  const input = probe.querySelector("input");
  input.value = String(nth);
  const told = [text];
  for (const key of figure.querySelectorAll(".legend li[data-values]")) {
    const value = key.dataset.values.split(" ")[nth];
    key.querySelector(".reading").textContent = value;
    told.push(`${key.textContent.trim().replace(/\s+/g, " ")}`);
  }
  input.setAttribute("aria-valuetext", told.join(", "));
  const { left, width, bottom, top } = area(plot);
  const middle = step - begin + Math.min(Number(figure.dataset.step), Number(plot.dataset.length) - (step - begin)) / 2;
  const line = figure.querySelector(".crosshair");
  line.hidden = false;
  line.style.left = `${left + (width * middle) / Number(plot.dataset.length)}px`;
  line.style.top = `${top}px`;
  line.style.height = `${bottom - top}px`;
};

// The moment at a place of the picture, milliseconds since 1970.
export const momentAt = (x) => {
  const figure = chart();
  const plot = figure.querySelector(".plot");
  const { at, width } = area(plot);
  const part = Math.min(Math.max((x - at) / width, 0), 1);
  return Number(figure.dataset.begin) + part * Number(plot.dataset.length);
};

// The step that is nearest to a moment.
const nearest = (at) => {
  const figure = chart();
  const begin = Number(figure.dataset.begin);
  const half = Number(figure.dataset.step) / 2;
  const distance = (start) => Math.abs(begin + start + half - at);
  return begin + starts(figure.querySelector(".plot")).reduce((best, it) => (distance(it) < distance(best) ? it : best));
};

// Returns what draws it anew.
export const offerReading = () => {
  const main = document.getElementById("main");
  const isIn = (event) => event.target.closest && event.target.closest("#chart .plot");
  const point = (event) => {
    if (!isIn(event)) {
      if (!isPointed) return;
      isPointed = false;
      step = null;
    } else {
      isPointed = event.pointerType === "mouse";
      step = nearest(momentAt(event.clientX));
    }
    draw();
  };
  addEventListener("pointermove", point);
  addEventListener("pointerdown", point);
  main.addEventListener("input", (event) => {
    if (!event.target.closest("#probe")) return;
    const figure = chart();
    isPointed = false;
    step = Number(figure.dataset.begin) + starts(figure.querySelector(".plot"))[Number(event.target.value)];
    draw();
  });
  addEventListener("resize", draw);
  afterRenewal(draw);
  draw();
  return draw;
};
