// What the figures share: one place of the page each, drawn anew without leaving the old one behind.

const TOOLS = { toolbar_location: null, sizing_mode: "stretch_width", output_backend: "canvas" };
const views = {}, turns = {};

function plot(options) {
  const figure = new Bokeh.Plotting.figure({ ...TOOLS, tools: "", ...options });
  figure.outline_line_color = null;
  return figure;
}

// Put `figure` at the place `id`. A figure that comes while the one before is being made takes its place.
async function place(id, figure) {
  const turn = (turns[id] = (turns[id] ?? 0) + 1);
  const view = await Bokeh.Plotting.show(figure, "#" + id);
  const old = turn === turns[id] ? views[id] : view;
  if (turn === turns[id]) views[id] = view;
  old?.model?.document?.clear?.();
  old?.remove?.();
}

function empty(id, said) {
  turns[id] = (turns[id] ?? 0) + 1;
  views[id]?.remove?.();
  delete views[id];
  element(id).replaceChildren(make("p", { className: "note", textContent: said }));
}

const hover = (renderers, tooltips, more = {}) => new Bokeh.HoverTool({ renderers, tooltips, ...more });

// Bokeh reads tooltips as markup: names go into them through columns, which it escapes, and never into the template.
const isNarrow = () => window.innerWidth < 620;
