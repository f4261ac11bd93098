// Importance of settings, test images of one row, and what the study was made with and where.

function drawImportance() {
  const { note, shares } = DATA.importance;
  element("importance-note").textContent = note;
  const most = Math.max(...shares.map(([, share]) => share), 1e-9);
  element("importance").replaceChildren(...shares.map(([name, share, spread]) => {
    const bar = make("div");
    bar.style.width = `${Math.max(0, (100 * share) / most)}%`;
    return make("div", { className: "bar" }, make("b", { textContent: name }), bar, make("span", { textContent: `${Math.max(0, share).toFixed(2)} ± ${spread.toFixed(2)}` }));
  }));
}

// Of the first row chosen, or the best one shown, that has any.
function drawTests() {
  const rows = drawnRows(shownRows());
  const row = rows.find((one) => one.runs.some((run) => DATA.confusion[run] || DATA.mistakes[run]));
  element("tests-section").hidden = !Object.keys(DATA.confusion).length && !Object.keys(DATA.mistakes).length;
  if (!row) {
    element("tests-note").textContent = "Not kept for what is shown: only for the best, as far as there is room. mlp predict RUN makes them for any run.";
    element("confusion").replaceChildren();
    element("mistakes").replaceChildren();
    return;
  }
  const matrices = row.runs.map((run) => DATA.confusion[run]).filter(Boolean);
  const pictured = row.runs.find((run) => DATA.mistakes[run]);
  element("tests-note").textContent = `${row.label}: rows are classes, columns what they were taken for` + (matrices.length > 1 ? `, ${matrices.length} seeds together` : "") +
    (pictured === undefined ? "; no picture of its mistakes was kept." : `. Below, mistakes of ${DATA.runs[pictured].name}, true > predicted.`);
  element("confusion").replaceChildren(...(matrices.length ? [confusionTable(matrices)] : []));
  element("mistakes").replaceChildren(...(pictured === undefined ? [] : [make("img", { src: DATA.mistakes[pictured], alt: "misclassified test images, each under its true and its predicted class" })]));
}

function confusionTable(matrices) {
  const num = matrices[0].length, sum = (i, j) => matrices.reduce((total, matrix) => total + matrix[i][j], 0);
  const body = Array.from({ length: num }, (_, i) => {
    const counts = Array.from({ length: num }, (_, j) => sum(i, j)), total = counts.reduce((a, b) => a + b, 0);
    return make("tr", {}, make("th", { textContent: String(i), scope: "row" }), ...counts.map((count, j) => {
      const field = make("td", { textContent: count || "" });
      // Mistakes are coloured, up to a tenth of a class; what is right is pale.
      const share = total ? count / total : 0;
      if (count) field.style.background = i === j ? "#e8eef3" : cividis(1 - Math.min(1, 0.25 + 7.5 * share));
      if (count && i !== j) field.style.color = inkOn(1 - Math.min(1, 0.25 + 7.5 * share));
      return field;
    }));
  });
  const head = make("tr", {}, make("td"), ...body.map((_, j) => make("th", { textContent: String(j), scope: "col" })));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

function drawHead() {
  const { runs, statuses } = DATA.counts;
  const said = Object.entries(statuses).map(([status, num]) => `${num} ${status}`);
  const begun = Object.values(statuses).reduce((a, b) => a + b, 0);
  if (begun < runs) said.push(`${runs - begun} not begun`);
  element("counts").textContent = `${runs} runs: ${said.join(", ")}. ${DATA.cells.length} settings${DATA.settings.length ? " of " + DATA.settings.map((setting) => setting.key).join(", ") : ""}.`;
  if (DATA.live) {
    const live = element("live");
    live.hidden = false;
    const isSilent = Date.now() - Date.parse(DATA.written) > 600_000;
    live.textContent = isSilent ? `Nothing new since ${new Date(DATA.written).toLocaleString()}: has training been killed? mlp status says it; mlp report writes this page anew.`
      : `Still being trained; this is how it stood at ${new Date(DATA.written).toLocaleTimeString()}. The page reloads itself and keeps what you have chosen.`;
    setTimeout(() => location.reload(), 10000);
  }
  element("foot").replaceChildren(...[...DATA.foot, ["page written", DATA.written]].flatMap(([name, value]) =>
    [make("dt", { textContent: name }), make("dd", { textContent: value, className: name === "command" ? "command" : "" })]));
}
