// The paint box: nine pans with a face, which fill and become pictures. Nothing here moves the page's layout.
const tin = document.getElementById("tin");
const list = document.getElementById("pans");
let prompt = document.getElementById("studio").dataset.prompt ?? "";
let looked = 0;

const pan = (index) => list.children[index];

/** "idle", "waiting" (asleep), "drawing" (eyes on the work), "calm" (a line that is not drawn), "failed" or "drawn". */
export function mood(name) {
  tin.classList.remove("idle", "waiting", "drawing", "calm", "failed", "drawn", "working");
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

/** Have the eyes look at a pan; not more often than eyes move. */
export function look(index) {
  if (performance.now() - looked < 400) return;
  looked = performance.now();
  const columns = 3;
  const [row, column] = [Math.floor(index / columns), index % columns];
  for (const [eye, at] of [[3, 0], [5, 2]]) {
    const style = pan(eye)?.style;
    style?.setProperty("--look-x", `${Math.sign(column - at) * 45}%`);
    style?.setProperty("--look-y", `${(row - 1) * 45 || 0}%`);
  }
}

/** Have the eyes look along the line that is being written, 0 to 1. */
export function glance(share) {
  for (const eye of [3, 5]) {
    pan(eye)?.style.setProperty("--look-x", `${(share - 0.5) * 90}%`);
  }
}

/** How much of a partial picture is there: below, it is gray, and the pan's paint is to be seen instead. */
function done(picture) {
  const [width, height] = [8, 64];
  const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  pen.drawImage(picture, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const isGray = (row) => {
    for (let at = row * width * 4; at < (row + 1) * width * 4; at++) {
      if (at % 4 < 3 && Math.abs(data[at] - 128) > 8) return false;
    }
    return true;
  };
  let rows = height;
  while (rows > 0 && isGray(rows - 1)) rows--;
  return rows / height;
}

export async function partial(index, webp) {
  const place = pan(index);
  const picture = new Image(256, 256);
  picture.className = "partial";
  picture.alt = "";
  picture.src = `data:image/webp;base64,${webp}`;
  await picture.decode().catch(() => {});
  if (!place || place.querySelector("a") || !picture.naturalWidth) return;
  picture.style.setProperty("clip-path", `inset(0 0 ${(102 - 100 * done(picture)).toFixed(1)}% 0)`);
  place.replaceChildren(picture);
  place.classList.add("has-picture", "partly");
}

export function drawn(index, url) {
  const place = pan(index);
  if (!place || place.querySelector("a")) return Promise.resolve();
  const webp = url.replace(/\.png$/, ".webp");
  const link = document.createElement("a");
  const picture = new Image(256, 256);
  link.href = webp;
  link.dataset.picture = index;
  picture.alt = `${prompt}, picture ${index + 1} of ${list.children.length}, AI-generated, may not be true`;
  picture.src = webp;
  link.append(picture);
  // Decoded before it takes the partial's place, so that no white square flashes.
  return picture.decode().catch(() => {}).then(() => {
    place.replaceChildren(link);
    place.classList.add("has-picture");
    place.classList.remove("partly");
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
