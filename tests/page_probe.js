// Does with the page what a reader does, a step at a time, and leaves what it saw as JSON in an element.
const seen = {}, errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => errors.push(event.blockedURI + event.violatedDirective));
const pause = (ms = 400) => new Promise((done) => setTimeout(done, ms));
const within = (root) => [...root.querySelectorAll("*")].flatMap((e) => [e, ...(e.shadowRoot ? within(e.shadowRoot) : [])]);
const labels = () => [...element("table").tBodies[0].rows].map((row) => row.dataset.label);
const head = (name) => [...element("table").tHead.querySelectorAll("button")].find((button) => button.textContent.startsWith(name));
const viewOf = (id) => {
  const found = Bokeh.documents.flatMap((d) => [...d._all_models.values()]).filter((m) => m.type === "Figure").map((m) => Bokeh.index.find_one(m)).filter((v) => v && element(id).contains(v.el));
  return found[found.length - 1];
};
const at = (view, x, y) => {
  const box = view.canvas_view.events_el.getBoundingClientRect();
  return { clientX: box.left + view.frame.x_scale.compute(x), clientY: box.top + view.frame.y_scale.compute(y), bubbles: true, composed: true, isPrimary: true, pointerId: 1, pointerType: "mouse", button: 0, buttons: 1 };
};
const point = (view, kind, x, y) => view.canvas_view.events_el.dispatchEvent(new PointerEvent(kind, at(view, x, y)));

async function drag(view, from, to) {
  point(view, "pointerenter", ...from);
  point(view, "pointerover", ...from);
  point(view, "pointermove", ...from);
  point(view, "pointerdown", ...from);
  for (const part of [0.2, 0.5, 0.8, 1]) {
    await pause(30);
    point(view, "pointermove", from[0] + part * (to[0] - from[0]), from[1] + part * (to[1] - from[1]));
  }
  point(view, "pointerup", ...to);
  await pause();
}

async function hoverOver(view, x, y) {
  for (const kind of ["pointerenter", "pointerover", "pointermove"]) point(view, kind, x, y);
  await pause(600);
}

async function probe() {
  await pause(1500);
  seen.labels = labels();
  seen.best = [...document.querySelectorAll("#table tr.best")].map((row) => row.dataset.label);
  seen.marks = [...element("table").tBodies[0].rows].map((row) => row.textContent.includes("≈") ? "≈" : row.textContent.includes("★") ? "★" : "");
  seen.canvases = ["coordinates", "curves", "heat"].map((id) => within(element(id)).filter((e) => e.tagName === "CANVAS" && e.width > 200).length > 0);
  seen.heat = viewOf("heat").model.renderers[1].data_source.data.text;
  seen.legend = [...element("legend").children].map((e) => e.textContent);
  seen.width = [document.documentElement.scrollWidth, window.innerWidth];
  seen.markup = document.querySelectorAll("b.injected, img[src=x]").length;
  seen.text = document.body.innerText;

  head("optim.lr").click();
  await pause();
  seen.sorted = labels();
  seen.ariaSort = head("optim.lr").parentElement.getAttribute("aria-sort");
  head("optim.lr").click();
  await pause();
  seen.sortedDown = labels();
  head("optim.lr").click();
  await pause();

  const boxes = [...document.querySelectorAll("#filters input[type=checkbox]")];
  boxes[0].click();
  await pause(700);
  seen.filtered = labels();
  boxes[0].click();
  await pause(700);

  const coordinates = viewOf("coordinates");
  await drag(coordinates, [0.85, 0.98], [1.15, 0.7]);
  seen.brushed = labels();
  seen.brushedLegend = [...element("legend").children].map((e) => e.textContent);
  element("clear").click();
  await pause(700);
  seen.cleared = labels();

  const rows = [...element("table").tBodies[0].rows];
  rows[2].querySelector("input").focus();
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
  seen.focused = document.activeElement.closest("tr").dataset.label;
  document.activeElement.click(); // what Space does
  await pause(900);
  seen.selectedLegend = [...element("legend").children].map((e) => e.textContent);
  seen.hash = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  seen.tests = element("tests-note").textContent;

  const curves = viewOf("curves"), line = curves.model.renderers.find((r) => r.glyph.type === "Line" && r.glyph.line_width.value > 2);
  const data = line.data_source.data, middle = Math.floor(data.x.length / 2);
  await hoverOver(curves, data.x[middle], data.y[middle]);
  seen.hovered = [...new Set(within(document).map((e) => e.getRootNode()).filter((root) => root !== document))].flatMap((root) => [...root.children].filter((e) => e.tagName !== "STYLE").map((e) => e.textContent)).filter((text) => text.includes("epoch "));

  element("quantity").value = "grad_norm";
  element("quantity").dispatchEvent(new Event("change"));
  await pause(700);
  seen.layers = [...element("layer").options].map((option) => option.textContent);
  seen.statistic = viewOf("curves").model.renderers.filter((r) => r.glyph.type === "Line").map((r) => r.data_source.data.what[0]);

  document.querySelector("input[name=by][value=run]").click();
  await pause(900);
  seen.runs = labels();
  seen.statuses = [...element("table").tBodies[0].rows].map((row) => row.textContent);
  seen.errors = errors;
}

probe().catch((error) => errors.push(String(error?.stack ?? error))).finally(() => {
  seen.errors = errors;
  const pre = document.createElement("pre");
  pre.id = "probe";
  pre.textContent = JSON.stringify(seen);
  document.body.append(pre);
});
