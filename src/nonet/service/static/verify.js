// Says that it looks, and does not let a file go that the server would refuse anyway.
const form = document.getElementById("verify");
const status = document.getElementById("status");
form.addEventListener("submit", (event) => {
  status.classList.remove("unseen");
  const file = document.getElementById("file").files[0];
  if (file && file.size > 25_000_000) {
    event.preventDefault();
    status.textContent = "This file is larger than 25 MB.";
    return;
  }
  status.textContent = "Looking … this takes a few seconds.";
});
