// The table: sorted by its heads, filtered by its settings, rows chosen with pointer or keyboard.

const MARKS = { best: "★ best", "not clearly worse": "≈ best", "clearly worse": "", "one run": "" };
const MARK_NOTE = "★ best by the mean; ≈ not clearly worse than it: within twice the standard deviation of the difference. ";

function columns() {
  const isCell = state.by === "cell";
  const settings = DATA.settings.map((setting, s) => ({
    name: setting.key,
    isText: setting.kind === "text",
    text: (row) => (row.places[s] < 0 ? "" : setting.values[row.places[s]]),
    value: (row) => (setting.kind === "text" ? row.places[s] : number(setting, row.places[s])),
  }));
  const metrics = DATA.metrics.map((metric, m) => ({
    name: metric,
    text: (row) => shown(row.mean[m], metric) + (row.std[m] === null ? "" : " ± " + shown(row.std[m], metric)),
    value: (row) => row.mean[m],
  }));
  const plain = (name) => ({ name, text: (row) => shown(row[name], name), value: (row) => row[name] ?? null });
  const status = { name: "status", isText: true, text: statusText, value: statusText };
  const order = metrics.findIndex((column) => column.name === state.judged);
  if (order > 0) metrics.unshift(...metrics.splice(order, 1));
  return [
    ...(isCell ? [] : [{ name: "run", isText: true, text: (row) => row.label, value: (row) => row.label }]),
    ...settings, ...metrics.splice(0, 1),
    ...(isCell
      ? [{ name: "beside best", isText: true, text: (row) => MARKS[row.beside], value: (row) => row.beside === "best" ? 0 : row.beside === "not clearly worse" ? 1 : 2 },
         { name: "n", text: (row) => String(row.runs.length), value: (row) => row.runs.length }]
      : [{ name: "seed", text: (row) => row.seed ?? "", value: (row) => (row.seed === null ? null : Number(row.seed)) }]),
    status, ...metrics, plain("epochs"), plain("seconds"),
    { name: "diagnosis", isText: true, text: diagnosisText, value: diagnosisText },
    ...(isCell ? [] : [{ name: "reason", isText: true, text: (row) => row.reason, value: (row) => row.reason }]),
  ];
}

// Of a run what the doctor says; of a cell what is said of its runs, the commonest first.
function diagnosisText(row) {
  const counts = new Map();
  for (const run of row.runs) {
    const said = DATA.runs[run].diagnosis ?? "";
    if (said) counts.set(said, (counts.get(said) ?? 0) + 1);
  }
  const found = [...counts].sort((a, b) => b[1] - a[1]);
  return found.length < 2 ? (found[0] ?? [""])[0] : found.map(([said, num]) => `${num} × ${said}`).join(" | ");
}

function statusText(row) {
  const found = Object.entries(row.statuses);
  return found.length === 1 ? found[0][0] : found.map(([status, num]) => `${num} ${status}`).join(", ");
}

function sorted(rows, column) {
  if (!column) return rows;
  const sign = state.descending ? -1 : 1;
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  const missing = (value) => value === null || value === "" || Number.isNaN(value);
  return rows.map((row) => [column.value(row), row]).sort(([a], [b]) =>
    missing(a) || missing(b) ? missing(a) - missing(b) : sign * compare(a, b)).map(([, row]) => row);
}

function drawTable() {
  const all = columns(), rows = sorted(shownRows(), all.find((column) => column.name === state.sort));
  const heads = all.map((column) => {
    const isSorted = column.name === state.sort;
    const button = make("button", { type: "button", textContent: column.name + (isSorted ? (state.descending ? " ▼" : " ▲") : "") });
    button.addEventListener("click", () => sortBy(column));
    const head = make("th", { className: column.isText ? "text" : "", scope: "col" }, button);
    head.setAttribute("aria-sort", isSorted ? (state.descending ? "descending" : "ascending") : "none");
    return head;
  });
  const table = element("table");
  table.tHead.replaceChildren(make("tr", {}, make("th", { scope: "col", ariaLabel: "chosen" }), ...heads));
  const selected = new Set(state.selected), best = ranked(allRows().filter((row) => judgedValue(row) !== null))[0];
  const body = rows.map((row) => {
    const box = make("input", { type: "checkbox", checked: selected.has(row.label), ariaLabel: "choose " + row.label });
    const line = make("tr", { title: row.label }, make("td", {}, box), ...all.map((column) =>
      make("td", { textContent: column.text(row), title: column.text(row), className: /reason|diagnosis/.test(column.name) ? "reason" : column.isText ? "text" : "" })));
    line.dataset.label = row.label;
    line.classList.toggle("selected", box.checked);
    line.classList.toggle("best", row === best);
    return line;
  });
  table.tBodies[0].replaceChildren(...body);
  const num = allRows().length, what = state.by === "cell" ? "settings" : "runs";
  element("table-note").textContent =
    `${rows.length === num ? num : `${rows.length} of ${num}`} ${what}` + (state.sort ? `, by ${state.sort}` : ", best first") +
    `. ${state.by === "cell" ? MARK_NOTE : ""}Choose rows (pointer, or Space and the arrow keys) to see their curves.`;
}

// First the better end of a number, then the other one, then best first again.
function sortBy(column) {
  const first = DATA.metrics.includes(column.name) && isHigh(column.name);
  if (state.sort !== column.name) change({ sort: column.name, descending: first });
  else if (state.descending === first) change({ descending: !first });
  else change({ sort: null });
}

function markSelected() {
  const selected = new Set(state.selected);
  for (const line of element("table").tBodies[0].rows) {
    const isSelected = selected.has(line.dataset.label);
    line.classList.toggle("selected", isSelected);
    line.querySelector("input").checked = isSelected;
  }
}

element("table").tBodies[0].addEventListener("click", (event) => {
  const line = event.target.closest("tr");
  if (line) select([line.dataset.label], !state.selected.includes(line.dataset.label));
});
element("table").tBodies[0].addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const next = step && event.target.closest("tr")?.[step];
  if (!next) return;
  event.preventDefault();
  next.querySelector("input").focus();
});

function drawFilters() {
  element("filters").replaceChildren(...DATA.settings.map((setting) => {
    const box = make("fieldset", {}, make("legend", { textContent: setting.key }));
    if (setting.values.length > MANY && setting.kind !== "text") box.append(...endInputs(setting));
    else setting.values.forEach((value, place) => box.append(valueBox(setting, value, place)));
    return box;
  }));
}

function valueBox(setting, value, place) {
  const input = make("input", { type: "checkbox", checked: !(state.filters[setting.key] ?? []).includes(place) });
  input.addEventListener("change", () => {
    const left = new Set(state.filters[setting.key] ?? []);
    input.checked ? left.delete(place) : left.add(place);
    change({ filters: { ...state.filters, [setting.key]: [...left] }, brushed: null });
  });
  return make("label", {}, input, " " + value);
}

function endInputs(setting) {
  const numbers = setting.values.map(Number), low = Math.min(...numbers), high = Math.max(...numbers);
  return [low, high].map((end, i) => {
    const input = make("input", { type: "number", step: "any", value: (state.ends[setting.key] ?? [])[i] ?? "", placeholder: short(end) });
    input.ariaLabel = `${i ? "largest" : "smallest"} ${setting.key}`;
    input.addEventListener("change", () => {
      const ends = [...(state.ends[setting.key] ?? [null, null])];
      ends[i] = input.value === "" ? null : Number(input.value);
      change({ ends: { ...state.ends, [setting.key]: ends }, brushed: null });
    });
    return make("label", {}, i ? "to " : "from ", input);
  });
}
