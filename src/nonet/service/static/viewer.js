// One picture, large: a dialog with arrows; Escape closes it and gives the focus back.
const viewer = document.getElementById("viewer");
const picture = document.getElementById("viewer-picture");
const list = document.getElementById("pans");
const part = (name) => document.getElementById(`viewer-${name}`);
let links = [];
let at = 0;

function show(index) {
  at = (index + links.length) % links.length;
  const link = links[at];
  const number = Number(link.dataset.picture);
  const id = document.getElementById("studio").dataset.id;
  const image = link.querySelector("img");
  picture.src = link.href;
  picture.alt = image.alt;
  part("count").textContent = `Picture ${number + 1} of ${list.children.length}`;
  part("download").href = `${link.href.replace(/\.webp$/, ".png")}?download=1`;
  part("meme").href = `/d/${id}/meme/${number}`;
  part("report").href = `/d/${id}/report?picture=${number}`;
  part("sources").textContent = sources(link);
}

/** What the picture was drawn after: title, set, licence. */
function sources(link) {
  const named = JSON.parse(link.dataset.sources ?? "[]").map(
    (one) => `${one.title ?? "?"} (${[one.set ?? one.author, one.licence].filter(Boolean).join(", ")})`,
  );
  return named.length ? `Drawn after: ${[...new Set(named)].join("; ")}.` : "";
}

export function watch() {
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-picture]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || !viewer.showModal) return;
    event.preventDefault();
    links = [...list.querySelectorAll("a[data-picture]")];
    show(links.indexOf(link));
    viewer.showModal();
  });
  viewer.addEventListener("click", (event) => {
    const what = event.target.closest("[data-viewer]")?.dataset.viewer;
    if (what === "close" || event.target === viewer) viewer.close();
    if (what === "previous") show(at - 1);
    if (what === "next") show(at + 1);
  });
  viewer.addEventListener("keydown", (event) => {
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step) return;
    event.preventDefault();
    if (Math.abs(step) === 1 || links[at + step]) show(at + step);
  });
  // Back to the picture that was seen last.
  viewer.addEventListener("close", () => links[at]?.focus());
}
