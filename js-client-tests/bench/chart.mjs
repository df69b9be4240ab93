// A chart of horizontal bars, as SVG without scripts, in light and dark.

const WIDTH = 860;
const LEFT = 250;
const RIGHT = 70;
const TOP = 86;
const BOTTOM = 34;

const BAR = 11;
const BAR_STEP = 14;
const GROUP_GAP = 14;

/** Longer bars are cut off, and their ratio is written beside them as always. */
const RATIO_MAX = 1.6;
const GRID_STEP = 0.25;

const STYLE = `
  .page { fill: #ffffff }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .value, .axis { font-size: 11px; fill: #59636e }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .reference { stroke: #bc4c00; stroke-width: 2 }
  .reference-name { font-size: 11px; fill: #bc4c00 }
  .bare { fill: #8c959f }
  .roomcast { fill: #0969da }
  .roomcastWs { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    text { fill: #f0f6fc }
    .value, .axis { fill: #9198a1 }
    .value { stroke: #0d1117 }
    .grid { stroke: #3d444d }
    .reference { stroke: #f0883e }
    .reference-name { fill: #f0883e }
    .bare { fill: #818b98 }
    .roomcast { fill: #4493f8 }
    .roomcastWs { fill: #3fb950 }
  }
`;

/** Draws `groups`: each has a title, and bars with a subject, its title and its ratio. */
export function chart(groups) {
  let y = TOP;
  const drawn = groups.map((group) => {
    const text = drawGroup(group, y);
    y += group.bars.length * BAR_STEP + GROUP_GAP;
    return text;
  });
  const height = y - GROUP_GAP + BOTTOM;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" `
      + `viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">Cost of each work as a ratio to a stock Node.js Socket.IO server</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}"/>`,
    text(16, 28, "title", "Processor time of the server, stock Node.js Socket.IO = 1"),
    text(16, 50, "axis", "Shorter is better."),
    legend(groups),
    ...grid(y - GROUP_GAP),
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function legend(groups) {
  const names = new Map(
    groups.flatMap(({ bars }) => bars.map(({ subject, title }) => [subject, title])),
  );
  return [...names]
    .map(([subject, title], at) => {
      const x = LEFT + at * 170;
      return rect(x, 40, BAR, subject) + text(x + BAR + 6, 50, "", title);
    })
    .join("\n");
}

function grid(bottom) {
  const lines = [];
  for (let ratio = 0; ratio <= RATIO_MAX; ratio += GRID_STEP) {
    const kind = ratio === 1 ? "reference" : "grid";
    lines.push(line(at(ratio), TOP - 6, bottom + 4, kind));
    lines.push(text(at(ratio), bottom + 20, "axis", ratio.toFixed(2), "middle"));
  }
  lines.push(text(at(1), TOP - 12, "reference-name", "Node.js", "middle"));
  return lines;
}

function drawGroup({ title, bars }, top) {
  const middle = top + ((bars.length - 1) * BAR_STEP + BAR) / 2;
  const parts = [text(LEFT - 12, middle + 4, "", title, "end")];
  bars.forEach(({ subject, ratio }, number) => {
    const y = top + number * BAR_STEP;
    const end = at(Math.min(ratio, RATIO_MAX));
    parts.push(rect(LEFT, y, end - LEFT, subject));
    parts.push(text(end + 5, y + BAR - 1, "value", ratio.toFixed(2)));
  });
  return parts.join("\n");
}

/** The place of a ratio on the axis. */
function at(ratio) {
  return LEFT + (ratio / RATIO_MAX) * (WIDTH - LEFT - RIGHT);
}

function rect(x, y, width, kind) {
  return `<rect class="${kind}" x="${x}" y="${y}" width="${width.toFixed(1)}" height="${BAR}"/>`;
}

function line(x, from, to, kind) {
  const place = x.toFixed(1);
  return `<line class="${kind}" x1="${place}" x2="${place}" y1="${from}" y2="${to}"/>`;
}

function text(x, y, kind, content, anchor = "start") {
  const place = `x="${x.toFixed(1)}" y="${y}"`;
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text class="${kind}" ${place} text-anchor="${anchor}">${escaped}</text>`;
}
