// Funny prompts from parts that the model knows; the same parts and shapes that the server uses.
const pick = (list) => list[Math.floor(Math.random() * list.length)];
let parts = null;

export async function load(address) {
  parts ??= await (await fetch(address)).json();
}

export function surprise() {
  if (!parts) return "";
  if (Math.random() < 0.1) return pick(parts.first);
  return pick(parts.shapes).replace(/\{(\w+)\}/g, (_, name) => pick(parts[name]));
}
