// Everything once, and from then on what a change concerns.

const touches = (keys, ...names) => names.some((name) => keys.has(name));

listeners.push((keys) => {
  if (touches(keys, "brushed") && state.brushed === null) forgetBrush();
  if (touches(keys, "by", "filters", "ends", "judged", "brushed", "sort", "descending")) drawTable();
  else if (touches(keys, "selected")) markSelected();
  if (touches(keys, "by", "filters", "ends", "judged")) drawCoordinates();
  else if (touches(keys, "brushed", "selected")) colourLines();
  if (touches(keys, "by", "filters", "ends", "judged", "brushed", "selected", "quantity", "layer")) drawCurves();
  if (touches(keys, "by", "filters", "ends", "judged", "brushed", "across", "down")) drawHeat();
  if (touches(keys, "by", "filters", "ends", "judged", "brushed", "selected")) drawTests();
});

function drawChoices() {
  for (const radio of document.querySelectorAll("input[name=by]")) {
    radio.checked = radio.value === state.by;
    radio.onchange = () => change({ by: radio.value, selected: [], brushed: null });
  }
  element("judged").replaceChildren(...DATA.metrics.map((metric) => make("option", { textContent: metric, selected: metric === state.judged })));
  drawFilters();
}

element("judged").addEventListener("change", (event) => change({ judged: event.target.value }));
element("quantity").addEventListener("change", (event) => change({ quantity: event.target.value }));
element("layer").addEventListener("change", (event) => change({ layer: event.target.value }));
element("across").addEventListener("change", (event) => change({ across: Number(event.target.value) }));
element("down").addEventListener("change", (event) => change({ down: Number(event.target.value) }));
element("clear").addEventListener("click", () => {
  change({ filters: {}, ends: {}, selected: [], brushed: null, sort: null });
  drawFilters();
});

drawHead();
drawChoices();
drawTable();
drawImportance();
drawTests();
// The table can be read before the figures are drawn.
setTimeout(() => {
  drawCoordinates();
  drawCurves();
  drawHeat();
  document.body.dataset.drawn = "yes";
}, 0);
