// The pay page turns by itself: <div data-poll="/pay/…/status" data-every="3"> asks a JSON address until it answers {"state": "paid", "url": "/receipts/…"},
// then goes there; {"state": "expired" | "failed"} reloads the page, which says so in words. Without JavaScript the page offers "Periksa lagi".

const box = document.querySelector("[data-poll]");
if (box) {
  const first = Number(box.dataset.every || 3) * 1000;
  let wait = first;
  const again = () => setTimeout(ask, wait);

  const ask = async () => {
    if (document.hidden) return again(); // A sleeping tab costs the vendor no data; visibilitychange wakes it.
    try {
      const answer = await fetch(box.dataset.poll, { headers: { accept: "application/json" }, cache: "no-store" });
      if (answer.ok) {
        const { state, url } = await answer.json();
        if (state === "paid") return location.replace(url || location.href);
        if (state === "expired" || state === "failed") return location.reload();
        wait = Math.min(wait * 1.1, 10_000);
      } else {
        wait = Math.min(wait * 2, 30_000);
      }
    } catch {
      wait = Math.min(wait * 2, 30_000); // No signal: keep asking, more slowly.
    }
    again();
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      wait = first;
      ask();
    }
  });
  again();
}
