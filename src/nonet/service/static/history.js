// What was drawn on this device: kept in localStorage, newest first, and nowhere else.
const KEY = "nonet.drawings";
const MOST = 200;

export function drawings() {
  try {
    const list = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((one) => one && typeof one.id === "string") : [];
  } catch {
    return []; // Private windows may have no storage, and people edit it.
  }
}

function keep(list) {
  try {
    localStorage.setItem(KEY, JSON.stringify(list.slice(0, MOST)));
  } catch { /* Full or forbidden: the drawing itself is not lost. */ }
}

export function remember(id, prompt) {
  keep([{ id, prompt, at: Date.now() }, ...drawings().filter((one) => one.id !== id)]);
}

export function forget(id) {
  keep(id ? drawings().filter((one) => one.id !== id) : []);
}
