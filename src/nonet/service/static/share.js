// Buttons that only a script can have: the system's own sharing, and copying the address.
export async function sheetFile(address, name) {
  const blob = await (await fetch(address)).blob();
  return new File([blob], name, { type: blob.type });
}

export function offer(say) {
  const row = document.getElementById("share");
  if (!row) return;
  const { url, title, sheet } = row.dataset;
  const [native, copy] = ["native", "copy"].map((name) => row.querySelector(`[data-share=${name}]`));
  if (navigator.share) {
    native.hidden = false;
    native.addEventListener("click", async () => {
      const what = { title: `${title} – Nonet`, text: `${title} (AI-generated)`, url };
      try {
        const files = navigator.canShare ? [await sheetFile(sheet, "nonet.png")] : [];
        await navigator.share(files.length && navigator.canShare({ files }) ? { ...what, files } : what);
      } catch (error) {
        if (error.name !== "AbortError") say("It could not be shared. The address can be copied instead.");
      }
    });
  }
  if (navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const copied = await navigator.clipboard.writeText(url).then(() => true, () => false);
      say(copied ? "The address is copied." : "The browser does not let it be copied; it stands in the address bar.");
    });
  }
}
