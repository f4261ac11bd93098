// Parallel coordinates: an axis for each setting and one for what is judged; a line is a row; a box over axes keeps rows.

let lines = null, points = null, drawn = [], isBrushing = false;

// Where a row meets an axis, in [0, 1]; null where it has no value there. Rows that share a text fan out a little.
function settingAxis(setting, s, rows) {
  const places = rows.map((row) => row.places[s]), num = setting.values.length;
  if (setting.kind === "text") {
    const counts = new Map(), totals = new Map(), middle = (place) => (num - place - 0.5) / num; // the first one typed on top
    places.forEach((place) => totals.set(place, (totals.get(place) ?? 0) + 1));
    const at = places.map((place) => {
      const before = counts.get(place) ?? 0, total = totals.get(place);
      counts.set(place, before + 1);
      return place < 0 ? null : middle(place) + (total > 1 ? ((before / (total - 1) - 0.5) * 0.5) / num : 0);
    });
    return { at, ticks: setting.values.map((value, place) => [middle(place), value]) };
  }
  const numbers = setting.values.map(Number), low = Math.min(...numbers), high = Math.max(...numbers);
  const share = setting.kind === "log"
    ? (value) => Math.log(value / low) / Math.log(high / low)
    : (value) => (high > low ? (value - low) / (high - low) : 0.5);
  const inside = (value) => 0.04 + 0.92 * share(value);
  const few = [...new Set(numbers)].length <= 8;
  const ticks = few ? numbers : setting.kind === "log" ? [low, ...logTicks(low * 1.5, high / 1.5), high] : [0, 1, 2, 3, 4].map((i) => low + (i / 4) * (high - low));
  return { at: places.map((place) => (place < 0 ? null : inside(numbers[place]))), ticks: ticks.map((value) => [inside(value), few ? shortest(value, setting) : short(value)]) };
}
const shortest = (value, setting) => setting.values.find((text) => Number(text) === value) ?? short(value);

function judgedAxis(rows) {
  const values = rows.map(judgedValue), share = scale(values, isHigh(state.judged));
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (!known.length) return { at: values.map(() => null), ticks: [], share };
  const ticks = [], isHigher = isHigh(state.judged);
  const cut = known[Math.round((isHigher ? 0.25 : 0.75) * (known.length - 1))], best = isHigher ? known.at(-1) : known[0];
  for (let i = 0; i <= 4; i++) ticks.push([0.04 + 0.23 * i, (i || cut === best ? "" : isHigher ? "≤ " : "≥ ") + shown(cut + (i / 4) * (best - cut), state.judged)]);
  return { at: values.map((value) => (value === null ? null : 0.04 + 0.92 * share(value))), ticks, share };
}

function drawCoordinates() {
  drawn = filteredRows().slice().reverse(); // the best last: on top
  if (!drawn.length || !DATA.settings.length) return empty("coordinates", "No row passes what is chosen above.");
  const judged = judgedAxis(drawn);
  const axes = [...DATA.settings.map((setting, s) => settingAxis(setting, s, drawn)), judged];
  const names = [...DATA.settings.map((setting) => setting.key), state.judged ?? ""];
  const figure = plot({ height: 340, x_range: [-0.25, axes.length - 1 + 0.45], y_range: [-0.02, 1.17], tools: "" });
  figure.xaxis.visible = figure.yaxis.visible = figure.xgrid.visible = figure.ygrid.visible = false;
  const meets = drawn.map((_, r) => axes.map((axis, a) => [a, axis.at[r]]).filter(([, y]) => y !== null));
  lines = new Bokeh.ColumnDataSource({ data: {
    xs: meets.map((meet) => meet.map(([x]) => x)), ys: meets.map((meet) => meet.map(([, y]) => y)),
    label: drawn.map((row) => row.label), value: drawn.map((row) => shown(judgedValue(row), state.judged)),
    colour: drawn.map(() => "#000000"), alpha: drawn.map(() => 1), width: drawn.map(() => 1),
  } });
  const glyphs = figure.multi_line({ xs: { field: "xs" }, ys: { field: "ys" }, source: lines,
    line_color: { field: "colour" }, line_alpha: { field: "alpha" }, line_width: { field: "width" } });
  glyphs.nonselection_glyph = glyphs.selection_glyph = null;
  const met = meets.flatMap((meet, r) => meet.map(([x, y]) => ({ x, y, r })));
  points = new Bokeh.ColumnDataSource({ data: { x: met.map((m) => m.x), y: met.map((m) => m.y), row: met.map((m) => m.r) } });
  const dots = figure.scatter({ x: { field: "x" }, y: { field: "y" }, source: points, size: 6, fill_alpha: 0, line_alpha: 0 });
  dots.nonselection_glyph = dots.selection_glyph = null;
  drawAxes(figure, axes, names);
  const box = new Bokeh.BoxSelectTool({ renderers: [dots] });
  figure.add_tools(box, hover([glyphs], [["", "@label"], [state.judged ?? "", "@value"]], { line_policy: "interp" }));
  figure.toolbar.active_drag = box;
  const source = points;
  source.selected.change.connect(() => source === points && brush(source));
  colourLines(judged.share);
  drawCoordinates.share = judged.share;
  place("coordinates", figure);
}

function drawAxes(figure, axes, names) {
  const ticks = axes.flatMap((axis, a) => axis.ticks.map(([y, text]) => ({ a, y, text })));
  figure.segment({ x0: axes.map((_, a) => a), x1: axes.map((_, a) => a), y0: axes.map(() => 0), y1: axes.map(() => 1), line_color: "#444444" });
  const halo = { background_fill_color: "#ffffff", background_fill_alpha: 0.75, text_baseline: "middle" };
  figure.text({ x: ticks.map((t) => t.a), y: ticks.map((t) => t.y), text: ticks.map((t) => t.text), x_offset: 6,
    text_font_size: isNarrow() ? "10px" : "12px", text_color: "#111111", ...halo });
  const isTight = Math.max(...names.map((name) => name.length)) * 8 > window.innerWidth / names.length; // every other one higher
  figure.text({ x: names.map((_, a) => a), y: names.map((_, a) => (isTight && a % 2 ? 1.12 : 1.06)), text: names, text_align: "center",
    text_font_size: isTight || isNarrow() ? "10px" : "13px", text_font_style: "bold", ...halo });
}

// Rows that pass on every axis on which some point is selected.
function brush(source) {
  const chosen = source.selected.indices;
  if (isBrushing) return;
  if (!chosen.length) return change({ brushed: null });
  const { x, row } = source.data, byAxis = new Map();
  for (const i of chosen) {
    if (!byAxis.has(x[i])) byAxis.set(x[i], new Set());
    byAxis.get(x[i]).add(row[i]);
  }
  const sets = [...byAxis.values()];
  change({ brushed: drawn.filter((_, r) => sets.every((set) => set.has(r))).map((row) => row.label) });
}

function forgetBrush() {
  if (!points) return;
  isBrushing = true;
  points.selected.indices = [];
  isBrushing = false;
}

function colourLines(share = drawCoordinates.share) {
  if (!lines || !share) return;
  const brushed = state.brushed && new Set(state.brushed), selected = new Set(state.selected);
  const isIn = (row) => !brushed || brushed.has(row.label), isChosen = (row) => selected.has(row.label);
  const faint = drawn.length > 150 ? 0.35 : 0.7;
  lines.data = { ...lines.data,
    colour: drawn.map((row) => (isIn(row) ? cividis(0.92 * (1 - share(judgedValue(row)))) : "#bbbbbb")),
    alpha: drawn.map((row) => (isChosen(row) ? 1 : !isIn(row) ? 0.15 : selected.size ? 0.25 : brushed ? 0.9 : faint)),
    width: drawn.map((row) => (isChosen(row) ? 3.5 : isIn(row) && drawn.length < 150 ? 1.6 : 1)) };
}
