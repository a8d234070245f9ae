// The paint box: nine pans with a face, which fill and become pictures. Nothing here moves the page's layout.
const tin = document.getElementById("tin");
const list = document.getElementById("pans");
let prompt = "";

const pan = (index) => list.children[index];

/** "idle", "waiting" (asleep), "drawing" (eyes on the work), "failed" or "drawn". */
export function mood(name) {
  tin.classList.remove("idle", "waiting", "drawing", "failed", "drawn", "working");
  tin.classList.add(name);
  if (name === "waiting" || name === "drawing") tin.classList.add("working");
}

export function caption(text, plate = "") {
  const title = document.getElementById("title");
  prompt = text;
  title.textContent = text;
  title.classList.toggle("long", text.length > 90);
  document.getElementById("plate").textContent = plate;
}

/** Empty pans for a new drawing of nine. */
export function empty(text, face) {
  list.replaceChildren(...face);
  list.dataset.columns = 3;
  caption(text);
}

export function progress(index, share) {
  pan(index)?.style.setProperty("--done", share.toFixed(3));
}

/** Where the eyes look: at a pan by its index, or along the line that is being written (0 to 1). */
export function look(index) {
  const columns = 3;
  const [row, column] = [Math.floor(index / columns), index % columns];
  for (const [eye, at] of [[3, 0], [5, 2]]) {
    const style = pan(eye)?.style;
    style?.setProperty("--look-x", `${Math.sign(column - at) * 45}%`);
    style?.setProperty("--look-y", `${(row - 1) * 45 || 0}%`);
  }
}

export function glance(share) {
  for (const eye of [3, 5]) {
    pan(eye)?.style.setProperty("--look-x", `${(share - 0.5) * 90}%`);
  }
}

export function partial(index, webp) {
  const place = pan(index);
  if (!place || place.querySelector("a")) return;
  let picture = place.querySelector("img");
  if (!picture) {
    picture = new Image(256, 256);
    picture.className = "partial";
    picture.alt = "";
    place.replaceChildren(picture);
    place.classList.add("has-picture");
  }
  picture.src = `data:image/webp;base64,${webp}`;
}

export function drawn(index, url) {
  const place = pan(index);
  if (!place || place.querySelector("a")) return Promise.resolve();
  const webp = url.replace(/\.png$/, ".webp");
  const link = document.createElement("a");
  const picture = new Image(256, 256);
  link.href = webp;
  link.dataset.picture = index;
  picture.alt = `${prompt}, picture ${index + 1} of ${list.children.length}, AI-generated`;
  picture.src = webp;
  link.append(picture);
  // Decoded before it takes the partial's place, so that no white square flashes.
  return picture.decode().catch(() => {}).then(() => {
    place.replaceChildren(link);
    place.classList.add("has-picture");
  });
}

// Arrows move among the pictures.
list.addEventListener("keydown", (event) => {
  const links = [...list.querySelectorAll("a[data-picture]")];
  const at = links.indexOf(event.target);
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (at < 0 || !step || !links[at + step]) return;
  event.preventDefault();
  links[at + step].focus();
});
