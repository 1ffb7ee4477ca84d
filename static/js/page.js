// Small comforts on every page; each button stays hidden where the browser cannot do it.

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    say(button, button.dataset.done ?? "✓");
  });
}

for (const button of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.share({ title: button.dataset.title || document.title, url: button.dataset.share || location.href });
    } catch {
      // Closing the share sheet is not an error.
    }
  });
}

// A form that came back: the reader starts at what is wrong.
document.querySelector("[data-focus]")?.focus();

// A money form must not be sent twice by an impatient thumb; the server refuses the second one anyway.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 5000);
  });
}

function say(button, word) {
  const before = button.textContent;
  button.textContent = word;
  setTimeout(() => (button.textContent = before), 2000);
}
