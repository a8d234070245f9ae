// What the start page shows, an empty box with its face and ideas, for when it is needed again.
let page = document.querySelector("#tin.idle") ? document.cloneNode(true) : null;

/** Fetched where this page began as that of a drawing. */
export async function keep() {
  try {
    page ??= new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
  } catch { /* Without it the box stays as it is. */ }
}

const copies = (selector) => [...(page?.querySelectorAll(selector) ?? [])].map((one) => document.importNode(one, true));

export function face() {
  const found = copies("#pans > li");
  return found.length ? found : Array.from({ length: 9 }, () => Object.assign(document.createElement("li"), { className: "pan" }));
}

export const ideas = () => copies("#after > *");
