// Curves of the rows that are chosen: their mean over the seeds, the band from the lowest to the highest.

const cache = new Map();

// A column of a run's history, an array over its epochs; null where it has none.
function curve(run, column) {
  const found = DATA.curves.runs[run], at = DATA.curves.columns.indexOf(column);
  const place = found ? found.columns.indexOf(at) : -1;
  if (place < 0) return null;
  if (!cache.has(run)) {
    const bytes = Uint8Array.from(atob(found.values), (letter) => letter.charCodeAt(0));
    cache.set(run, new Float32Array(bytes.buffer));
  }
  const values = cache.get(run), num = values.length / found.columns.length;
  return { epochs: keptEpochs(found.epochs), values: values.subarray(place * num, (place + 1) * num) };
}

function keptEpochs(num) {
  const found = [];
  for (let epoch = 1; epoch <= num; epoch += DATA.curves.step) found.push(epoch);
  if (found.at(-1) !== num) found.push(num);
  return found;
}

// Over the seeds of a row: by epoch mean, lowest and highest of the runs that have come so far.
function meanCurve(row, column) {
  const sums = new Map();
  for (const run of row.runs) {
    const found = curve(run, column);
    found?.epochs.forEach((epoch, i) => {
      const value = found.values[i];
      if (!Number.isFinite(value)) return;
      const sum = sums.get(epoch) ?? { total: 0, num: 0, low: Infinity, high: -Infinity };
      sums.set(epoch, { total: sum.total + value, num: sum.num + 1, low: Math.min(sum.low, value), high: Math.max(sum.high, value) });
    });
  }
  const epochs = [...sums.keys()].sort((a, b) => a - b), of = (key) => epochs.map((epoch) => sums.get(epoch)[key]);
  return { epochs, mean: epochs.map((epoch) => sums.get(epoch).total / sums.get(epoch).num), low: of("low"), high: of("high"), num: of("num") };
}

// Quantities and the columns behind them; statistics of layers are called NAME/LAYER.
function quantities() {
  const found = new Map([["accuracy", ["train_acc", "val_acc"]], ["loss", ["train_loss", "val_loss"]], ["learning rate", ["lr"]]]);
  for (const name of DATA.curves.columns.filter((column) => column.includes("/"))) {
    const statistic = name.slice(0, name.indexOf("/"));
    found.set(statistic, [...(found.get(statistic) ?? []), name]);
  }
  return found;
}

function fillQuantities() {
  const all = quantities();
  if (!all.has(state.quantity)) state.quantity = "accuracy";
  element("quantity").replaceChildren(...[...all.keys()].map((name) => make("option", { textContent: name, selected: name === state.quantity })));
  const layers = all.get(state.quantity).filter((column) => column.includes("/")).map((column) => column.slice(column.indexOf("/") + 1));
  element("layer-field").hidden = !layers.length;
  if (!layers.includes(state.layer)) state.layer = layers[0] ?? "";
  element("layer").replaceChildren(...layers.map((layer) => make("option", { textContent: layer, selected: layer === state.layer })));
}

function drawCurves() {
  fillQuantities();
  const all = shownRows(), rows = drawnRows(all), isChosen = state.selected.length > 0;
  const columns = quantities().get(state.quantity).filter((column) => !column.includes("/") || column === `${state.quantity}/${state.layer}`);
  const found = rows.flatMap((row, i) => columns.map((column) => ({ row, column, colour: COLOURS[i], ...meanCurve(row, column) }))).filter((one) => one.epochs.length);
  const isPair = columns.length === 2;
  noteCurves(rows, all, isChosen, isPair);
  if (!found.length) return empty("curves", "No row that is shown has such a curve.");
  const figure = plot({ height: 340, x_axis_label: "epoch", y_axis_label: state.quantity + (state.layer ? `, ${state.layer}` : ""),
    y_axis_type: isLogCurve(found) ? "log" : "linear", tools: "box_zoom,reset", toolbar_location: "above" });
  figure.toolbar.logo = null;
  figure.xaxis.ticker = new Bokeh.BasicTicker({ min_interval: 1 });
  for (const one of found) {
    const isDashed = isPair && one.column.startsWith("train");
    if (one.row.runs.length > 1)
      figure.varea({ x: one.epochs, y1: one.low, y2: one.high, fill_color: one.colour, fill_alpha: isDashed ? 0.07 : 0.16 });
    const num = one.epochs.length;
    const source = new Bokeh.ColumnDataSource({ data: { x: one.epochs, y: one.mean, label: Array(num).fill(one.row.label), what: Array(num).fill(one.column), num: one.num } });
    const line = figure.line({ x: { field: "x" }, y: { field: "y" }, source, line_color: one.colour, line_width: isDashed ? 1.6 : 2.2, line_dash: isDashed ? [5, 4] : "solid" });
    const renderers = [line];
    if (num < 3) renderers.push(figure.scatter({ x: { field: "x" }, y: { field: "y" }, source, size: 7, fill_color: one.colour, line_color: one.colour }));
    figure.add_tools(hover(renderers, [["", "@label"], ["", "@what, epoch @x: @y{0.[0000]}"], ["runs", "@num"]]));
  }
  if (state.quantity === "accuracy") aimAtGood(figure, found);
  place("curves", figure);
}

// Positive curves that span a large factor are drawn on a logarithmic axis, except shares.
function isLogCurve(found) {
  if (state.quantity === "accuracy") return false;
  const values = found.flatMap((one) => one.mean);
  return values.length > 0 && values.every((value) => value > 0) && Math.max(...values) > 30 * Math.min(...values);
}

// An axis of accuracies begins a little below the worst curve at a quarter of its epochs: where good runs differ.
function aimAtGood(figure, found) {
  const low = Math.min(...found.map((one) => one.mean[Math.floor(one.mean.length / 4)]));
  const high = Math.max(...found.flatMap((one) => one.high)), room = Math.max(0.05 * (high - low), 0.001);
  figure.y_range = new Bokeh.Range1d({ start: low - room, end: high + room });
}

function noteCurves(rows, all, isChosen, isPair) {
  const what = state.by === "cell" ? "settings" : "runs", parts = [];
  const num = isChosen ? state.selected.length : all.length;
  if (isChosen) parts.push(num > rows.length ? `the best ${rows.length} of the ${num} ${what} chosen` : `the ${num} ${what} chosen`);
  else parts.push(num > rows.length ? `the best ${rows.length} of the ${num} ${what} shown; choose others in the table` : `the ${num} ${what} shown`);
  if (isPair) parts.push("solid: validation, dashed: training");
  if (rows.some((row) => row.runs.length > 1)) parts.push("line: mean over seeds, band: lowest to highest");
  if (DATA.curves.left_out) parts.push(DATA.curves.left_out);
  element("curves-note").textContent = parts.join("; ") + ".";
  element("legend").replaceChildren(...rows.map((row, i) => {
    const swatch = make("i");
    swatch.style.background = COLOURS[i];
    return make("span", {}, swatch, row.label);
  }));
}
