// The gallery's "Delete" on what was drawn on this device, and the list of it on its own page.
import { drawings, forget } from "./history.js";

const mine = document.getElementById("mine");
const own = new Set(drawings().map((one) => one.id));

for (const piece of document.querySelectorAll("#shelf .piece")) {
  piece.querySelector("[data-own]").hidden = !own.has(piece.dataset.id);
}

function element(name, fields, ...children) {
  const made = Object.assign(document.createElement(name), fields);
  made.append(...children);
  return made;
}

function piece({ id, prompt, at }) {
  const address = `/d/${encodeURIComponent(id)}`;
  const text = String(prompt ?? "");
  const picture = element("img", { src: `${address}/small.webp`, width: 288, height: 288, loading: "lazy", alt: `nine pictures of: ${text}, AI-generated` });
  const name = element("span", { className: "name", dir: "auto", textContent: text });
  const away = element("button", { className: "plain", textContent: "Forget", type: "button" });
  const item = element("li", { className: "piece" }, element("a", { href: address }, picture, name), element("p", {}, new Date(at).toLocaleDateString(), " ", away));
  picture.addEventListener("error", () => { picture.alt = `${text} (not drawn, or not here any more)`; picture.classList.add("gone"); });
  away.addEventListener("click", () => { forget(id); item.remove(); count(); });
  return item;
}

function count() {
  const number = drawings().length;
  document.getElementById("status").textContent = number ? `${number} drawing${number > 1 ? "s" : ""}` : "Nothing yet: draw something.";
  document.getElementById("forget").hidden = !number;
}

if (mine) {
  mine.replaceChildren(...drawings().map(piece));
  count();
  document.getElementById("forget").addEventListener("click", () => { forget(); mine.replaceChildren(); count(); });
}
