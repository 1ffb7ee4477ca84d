// A board on a wall renews itself, and keeps showing the last prices while the line is down. <html> says nothing: the page is asked again
// every two minutes and replaced only when the answer is good.

const EVERY = 120_000;

setInterval(async () => {
  try {
    const answer = await fetch(location.href, { cache: "no-cache" });
    if (answer.ok) location.reload();
  } catch {
    // No signal: the board stays as it is and tries again.
  }
}, EVERY);
