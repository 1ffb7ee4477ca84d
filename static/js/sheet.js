// The morning's sheet saves each commodity as it is typed. Without this, or without a signal, the button saves it all.

const form = document.querySelector("form[data-cells]");
const waiting = new Map();
let last = Promise.resolve(); // one after the other: the first of a morning makes the day's sheet

form?.addEventListener("change", (event) => {
  const set = event.target.closest("fieldset");
  if (!set) return;
  clearTimeout(waiting.get(set));
  waiting.set(
    set,
    setTimeout(() => (last = last.then(() => save(set))), 300),
  );
});

async function save(set) {
  const body = new FormData();
  for (const field of set.querySelectorAll("input, select")) body.append(field.name, field.value);
  try {
    const answer = await fetch(form.dataset.cells, { method: "POST", body, redirect: "error" });
    if (answer.status === 204) return tell(set, form.dataset.saved);
    if (answer.status !== 422) return tell(set, form.dataset.unsaved);
    const { errors } = await answer.json();
    tell(set, [...new Set(Object.values(errors))].join(" "));
    set.querySelector("details").open = true;
  } catch {
    tell(set, form.dataset.unsaved);
  }
}

function tell(set, sentence) {
  const said = set.querySelector("[data-said]");
  said.hidden = false;
  said.textContent = sentence;
}
