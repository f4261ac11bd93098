// How numbers are written, coloured and laid out on axes.

function shown(value, metric = "") {
  if (value === null || value === undefined) return "";
  if (/acc/.test(metric)) return value.toFixed(4);
  if (/seconds/.test(metric)) return value.toFixed(1);
  if (/epochs/.test(metric)) return String(Math.round(value * 10) / 10);
  return Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-4) ? value.toExponential(2) : value.toFixed(4);
}

function short(value) {
  if (value === null) return "";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(1).replace(/\.0e/, "e").replace("e+", "e") : String(Number(value.toPrecision(3)));
}

// Cividis (Nuñez, Anderton & Renslow, PLOS ONE 2018): dark blue to yellow, for every kind of colour vision.
const CIVIDIS = ["#00204c", "#00336f", "#39486b", "#575c6d", "#707173", "#8a8779", "#a69d75", "#c4b56c", "#e4cf5b", "#ffea46"];
function cividis(share) {
  if (!(share >= 0)) return "#dddddd";
  const at = Math.min(share, 1) * (CIVIDIS.length - 1), low = Math.floor(at), high = Math.ceil(at), part = at - low;
  const channel = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mixed = [0, 1, 2].map((i) => Math.round((1 - part) * channel(CIVIDIS[low], i) + part * channel(CIVIDIS[high], i)));
  return "#" + mixed.map((value) => value.toString(16).padStart(2, "0")).join("");
}
const inkOn = (share) => (share > 0.55 || !(share >= 0) ? "#000000" : "#ffffff");

// Where good rows differ: a share in [0, 1] of the values from the worst quarter, which is cut off, to the best.
function scale(values, isHigher) {
  const known = values.filter((value) => value !== null && Number.isFinite(value)).sort((a, b) => a - b);
  if (!known.length) return () => NaN;
  const at = (share) => known[Math.round(share * (known.length - 1))];
  let [low, high] = isHigher ? [at(0.25), at(1)] : [at(0), at(0.75)];
  if (high <= low) [low, high] = [known[0], known[known.length - 1]];
  return (value) => {
    if (value === null || !Number.isFinite(value)) return NaN;
    if (high <= low) return 1;
    const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
    return isHigher ? share : 1 - share;
  };
}

// Ticks of a logarithmic axis: powers of ten between the ends, with steps between where there are few.
function logTicks(low, high) {
  const found = [];
  const decades = Math.log10(high / low);
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += decades > 8 ? 2 : 1)
    for (const step of decades < 2.5 ? [1, 2, 5] : [1])
      if (step * 10 ** power >= low * 0.999 && step * 10 ** power <= high * 1.001) found.push(step * 10 ** power);
  return found;
}

function make(tag, properties = {}, ...children) {
  const found = Object.assign(document.createElement(tag), properties);
  found.append(...children);
  return found;
}
