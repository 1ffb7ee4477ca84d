// A rectangle drawn on the floor's drawing fills the four numbers of the form; without this they are typed.

const svg = document.querySelector("svg[data-draw]");
const form = document.querySelector("form[data-box]");
const ghost = svg?.querySelector("[data-ghost]");

if (svg && form && ghost) {
  const { width, height } = svg.viewBox.baseVal;
  form.querySelector("[data-drag]").hidden = false;
  let from = null;

  const point = (event) => {
    const box = svg.getBoundingClientRect();
    const clamp = (n) => Math.min(1, Math.max(0, n));
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  };

  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    from = point(event);
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => from && show(from, point(event)));
  svg.addEventListener("pointerup", (event) => {
    if (from) show(from, point(event));
    from = null;
  });
  // A finger that scrolls the page is no rectangle.
  svg.addEventListener("pointercancel", () => (from = null));
  svg.addEventListener("touchstart", (event) => event.touches.length === 1 && event.preventDefault(), { passive: false });

  function show([x1, y1], [x2, y2]) {
    const box = { x: Math.min(x1, x2), y: Math.min(y1, y2), w: Math.abs(x1 - x2), h: Math.abs(y1 - y2) };
    for (const [name, part] of Object.entries(box)) form.elements[name].value = (Math.floor(part * 10_000) / 100).toFixed(2);
    ghost.setAttribute("x", box.x * width);
    ghost.setAttribute("y", box.y * height);
    ghost.setAttribute("width", box.w * width);
    ghost.setAttribute("height", box.h * height);
  }
}
