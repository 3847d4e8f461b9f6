// Keeps the page up to date: it asks for itself again and puts what changed in its place, sooner when events tell of something.
import { offerReading } from "./chart.js";
import { listen, stopListening } from "./events.js";
import { say } from "./outage.js";
import { afterRenewal, renew, updates } from "./renew.js";
import { offerReplay } from "./replay.js";
import { offerSelection } from "./select.js";
import { offerSparks } from "./spark.js";
import { offerZones } from "./zone.js";

const EVERY = 5000; // ms between two looks at the whole page

const pause = document.getElementById("pause");
const again = (asked) => renew(location.href, "main", asked);

// What is newest is at the right: on a narrow screen it is what one wants to see first.
for (const scroll of document.querySelectorAll("#lanes .scroll")) scroll.scrollLeft = scroll.scrollWidth;

const readAgain = offerReading();
offerSelection();
offerSparks();
offerZones(() => {
  readAgain();
  again(true);
});
if (!offerReplay()) {
  pause.hidden = false;
  say("live");
}
pause.addEventListener("click", () => {
  updates.paused = !updates.paused;
  pause.textContent = updates.paused ? "Go on" : "Pause";
  pause.setAttribute("aria-pressed", String(updates.paused));
  say(updates.paused ? "paused" : "live");
  if (!updates.paused) again();
});
afterRenewal(listen);
setInterval(again, EVERY);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return stopListening();
  listen();
  return again();
});
addEventListener("pagehide", stopListening);
listen();
