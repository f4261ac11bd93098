"use strict";
// What is shown: the study, what the reader has chosen of it, and which rows that leaves.

const DATA = JSON.parse(document.getElementById("data").textContent);
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"];
const MOST_LINES = COLOURS.length;
const MANY = 12; // numbers of a setting, from which on it is filtered by its ends
const element = (id) => document.getElementById(id);

const START = {
  by: "cell", // what a row is: a cell, runs that differ in the seed alone, or a run
  judged: DATA.judged,
  sort: null, // a column's name; null: best first
  descending: true,
  filters: {}, // by setting: the places of values that are left out
  ends: {}, // by setting: the smallest and the largest number shown
  selected: [], // labels of rows
  brushed: null, // labels of rows, or null for all
  quantity: "accuracy",
  layer: "",
  across: 0,
  down: 1,
};
const state = remembered();

function remembered() {
  const found = structuredClone(START);
  try {
    Object.assign(found, JSON.parse(decodeURIComponent(location.hash.slice(1))));
  } catch { /* of another page, or of none */ }
  if (!DATA.metrics.includes(found.judged)) found.judged = DATA.judged;
  const num = DATA.settings.length;
  if (!(found.across < num)) found.across = 0;
  if (!(found.down < num)) found.down = Math.min(1, num - 1);
  return found;
}

// In the address, so that it outlives a reload, and can be sent to somebody.
function remember() {
  const changed = Object.fromEntries(
    Object.entries(state).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(START[key])));
  const hash = Object.keys(changed).length ? encodeURIComponent(JSON.stringify(changed)) : "";
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", "#" + hash);
}

// A row of the table, a line of the figures: either kind has label, places, mean, std, runs and status.
const CELLS = DATA.cells.map((cell, i) => ({ ...cell, place: i, kind: "cell" }));
const RUNS = DATA.runs.map((run, i) => ({
  ...run, label: run.name, kind: "run", runs: [i], mean: run.metrics, std: run.metrics.map(() => null),
  places: run.cell === null ? DATA.settings.map(() => -1) : DATA.cells[run.cell].places,
  beside: "", statuses: { [run.status]: 1 },
}));
const ORDER = { completed: 0, stopped: 0, pruned: 1, diverged: 2, failed: 3, unfinished: 4, damaged: 5 };

// Whether a number of this name is better when it is larger.
const isHigh = (metric) => !/loss|seconds|epochs/.test(metric);
const metricIndex = (metric) => DATA.metrics.indexOf(metric);
const judgedValue = (row) => row.mean[metricIndex(state.judged)] ?? null;

// Best first. Cells come so from the tables' own rule; by another metric, and single runs, they are sorted here.
function ranked(rows) {
  if (rows.length && rows[0].kind === "cell" && state.judged === DATA.judged) return rows;
  const sign = isHigh(state.judged ?? "") ? -1 : 1;
  const loss = metricIndex("best_val_loss");
  const worst = (row) => Math.max(...Object.keys(row.statuses).map((status) => ORDER[status] % 4));
  const key = (row) => {
    const value = judgedValue(row);
    return [worst(row), value === null ? Infinity : sign * value, row.mean[loss] ?? Infinity];
  };
  return rows.map((row) => [key(row), row])
    .sort(([a], [b]) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || 0).map(([, row]) => row);
}

const number = (setting, place) => (place < 0 ? null : Number(setting.values[place]));

function passes(row) {
  return DATA.settings.every((setting, s) => {
    const place = row.places[s];
    if ((state.filters[setting.key] ?? []).includes(place)) return false;
    const ends = state.ends[setting.key];
    if (!ends || place < 0) return true;
    const value = number(setting, place);
    return value >= (ends[0] ?? -Infinity) && value <= (ends[1] ?? Infinity);
  });
}

const allRows = () => (state.by === "cell" ? CELLS : RUNS);
const filteredRows = () => ranked(allRows()).filter(passes);
function shownRows() {
  const rows = filteredRows();
  if (state.brushed === null) return rows;
  const brushed = new Set(state.brushed);
  return rows.filter((row) => brushed.has(row.label));
}

// The rows whose curves are drawn: those selected, or else the best of those shown.
function drawnRows(rows) {
  const selected = new Set(state.selected);
  const chosen = ranked(allRows()).filter((row) => selected.has(row.label));
  return (chosen.length ? chosen : rows.filter((row) => row.runs.some((run) => DATA.curves.runs[run]))).slice(0, MOST_LINES);
}

function select(labels, isSelected) {
  const found = new Set(state.selected);
  labels.forEach((label) => (isSelected ? found.add(label) : found.delete(label)));
  change({ selected: [...found] });
}

const listeners = [];
let waiting = null; // names of what has changed and is not drawn yet

// Change what is shown; everything that depends on it is drawn anew, once for all changes of one moment.
function change(values) {
  Object.assign(state, values);
  remember();
  const isDue = waiting !== null;
  waiting = new Set([...(waiting ?? []), ...Object.keys(values)]);
  if (isDue) return;
  setTimeout(() => {
    const keys = waiting;
    waiting = null;
    listeners.forEach((listener) => listener(keys));
  }, 0);
}
