// A field for each pair of values of two settings: the best row that has them; the other settings are filters.

const MOST_BINS = 8;

// The values of a setting as fields: all of them, or where there are many numbers so many intervals.
function bins(setting) {
  if (setting.kind === "text" || setting.values.length <= MANY)
    return { labels: setting.values, of: (place) => place };
  const numbers = setting.values.map(Number), isLog = setting.kind === "log", to = (value) => (isLog ? Math.log(value) : value);
  const low = Math.min(...numbers), high = Math.max(...numbers), width = (to(high) - to(low)) / MOST_BINS;
  const from = (at) => (isLog ? Math.exp(at) : at), end = (i) => from(to(low) + i * width);
  const labels = Array.from({ length: MOST_BINS }, (_, i) => `${short(end(i))}–${short(end(i + 1))}`);
  return { labels, of: (place) => (place < 0 ? -1 : Math.min(MOST_BINS - 1, Math.floor((to(numbers[place]) - to(low)) / width))) };
}

function fillAxes() {
  for (const [id, key] of [["across", "across"], ["down", "down"]])
    element(id).replaceChildren(...DATA.settings.map((setting, s) => make("option", { textContent: setting.key, value: s, selected: s === state[key] })));
}

function drawHeat() {
  const section = element("heat-section");
  section.hidden = DATA.settings.length < 2 || !state.judged;
  if (section.hidden) return;
  fillAxes();
  if (state.across === state.down) return empty("heat", "Choose two different settings.");
  const across = bins(DATA.settings[state.across]), down = bins(DATA.settings[state.down]);
  const fields = new Map();
  for (const row of shownRows()) { // best first, so that the first one of a field is its best
    const x = across.of(row.places[state.across]), y = down.of(row.places[state.down]);
    if (x < 0 || y < 0) continue;
    const key = `${x} ${y}`, field = fields.get(key) ?? { x, y, rows: [] };
    field.rows.push(row);
    fields.set(key, field);
  }
  const found = [...fields.values()];
  const best = shownRows().find((row) => found.some((field) => field.rows[0] === row));
  noteHeat(found, best);
  if (!found.length) return empty("heat", "No row that is shown has both.");
  const values = found.map((field) => judgedValue(field.rows[0])), share = scale(values, isHigh(state.judged));
  const shares = values.map((value) => 1 - share(value));
  const source = new Bokeh.ColumnDataSource({ data: {
    x: found.map((field) => field.x + 0.5), y: found.map((field) => down.labels.length - field.y - 0.5),
    colour: shares.map((one) => cividis(one)), ink: shares.map(inkOn),
    text: found.map((field, i) => (field.rows[0] === best ? "★ " : "") + fieldText(values[i])),
    label: found.map((field) => field.rows[0].label), num: found.map((field) => field.rows.length), value: values.map((value) => shown(value, state.judged)),
  } });
  const figure = plot({ height: 70 + Math.min(420, 46 * down.labels.length + 40), x_range: [0, across.labels.length], y_range: [0, down.labels.length],
    x_axis_label: DATA.settings[state.across].key, y_axis_label: DATA.settings[state.down].key, tools: "tap" });
  figure.xgrid.visible = figure.ygrid.visible = false;
  ticks(figure.xaxis, across.labels, (i) => i + 0.5, across.labels.some((label) => label.length > 7));
  ticks(figure.yaxis, down.labels, (i) => down.labels.length - i - 0.5);
  const field = (name) => ({ field: name });
  const boxes = figure.rect({ x: field("x"), y: field("y"), width: 1, height: 1, source, fill_color: field("colour"), line_color: "#ffffff" });
  const texts = figure.text({ x: field("x"), y: field("y"), text: field("text"), source, text_color: field("ink"), text_align: "center", text_baseline: "middle",
    text_font_size: isNarrow() || across.labels.length > 6 ? "10px" : "13px" });
  for (const one of [boxes, texts]) one.nonselection_glyph = one.selection_glyph = null;
  figure.add_tools(hover([boxes], [["", "@label"], [state.judged, "@value"], ["rows", "@num"]]));
  source.selected.change.connect(() => {
    const chosen = source.selected.indices.map((i) => found[i].rows[0].label);
    if (chosen.length) change({ selected: chosen });
  });
  place("heat", figure);
}

const fieldText = (value) => (value === null ? "–" : /acc/.test(state.judged) ? (100 * value).toFixed(isNarrow() ? 1 : 2) : short(value));

function ticks(axis, labels, at, isTurned = false) {
  axis.ticker = new Bokeh.FixedTicker({ ticks: labels.map((_, i) => at(i)) });
  axis.major_label_overrides = new Map(labels.map((label, i) => [at(i), label]));
  axis.major_tick_line_color = axis.minor_tick_line_color = null;
  if (isTurned) axis.major_label_orientation = 0.7;
}

function noteHeat(found, best) {
  const most = Math.max(0, ...found.map((field) => field.rows.length)), isCell = state.by === "cell";
  const unit = /acc/.test(state.judged) ? " in per cent" : "";
  const of = most > 1 ? `; of up to ${most} ${isCell ? "settings" : "runs"} in a field, the best (the filters above choose among them)` : "";
  element("heat-note").textContent = `${state.judged}${unit}${isCell ? ", mean over seeds" : ""}${of}; ★ the best of all shown${best ? "" : " (none yet)"}. A click on a field shows its curves.`;
}
