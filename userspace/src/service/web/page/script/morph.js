// Makes a part of the page like a fresh one, and keeps every node that can stay: focus, selection and scrolling stay with it.

// What the reader or the script set stays: parts that are open, shown, or moved.
const OURS = new Set(["open", "hidden", "style"]);

const syncAttributes = (old, fresh) => {
  for (const { name } of [...old.attributes]) {
    if (!OURS.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (!OURS.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
};

export const morph = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  // What the script fills is the script's.
  if (old.dataset.own !== undefined) return;
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
