// The losses of a surface on its grid, and how high they are on a scale.

// A little beyond the ends is rounding.
const ROUNDING = 1e-3;

// From 0 at the low end of the scale to 1 at its high end; nan for what has no height.
function levelOf(loss, scale) {
  if (loss === null || (scale.log && loss <= 0)) return NaN;
  const level = ((scale.log ? Math.log10(loss) : loss) - scale.low) / (scale.high - scale.low);
  if (level < 0 && level > -ROUNDING) return 0;
  return level > 1 && level < 1 + ROUNDING ? 1 : level;
}

function nearest(places, place) {
  let best = 0;
  places.forEach((other, index) => {
    if (Math.abs(other - place) < Math.abs(places[best] - place)) best = index;
  });
  return best;
}

// Where between the places: [index, share of the way to the next]; null outside.
function between(places, place) {
  const last = places.length - 1;
  if (!(place >= places[0] && place <= places[last])) return null;
  if (last === 0) return [0, 0];
  let index = 0;
  while (index < last - 1 && places[index + 1] <= place) index++;
  return [index, (place - places[index]) / (places[index + 1] - places[index])];
}

class Grid {
  constructor(panel, scales) {
    Object.assign(this, panel, {scales});
    this.levels = Object.fromEntries(Object.entries(scales).map(([name, scale]) =>
      [name, Float64Array.from(panel.loss.flat(), loss => levelOf(loss, scale))]));
  }

  // The surface over a line: `along` is "x" for the line at this y, "y" for the line at this x.
  // Points with their place, level and standard error; between lines of the grid interpolated.
  cut(along, at, scale) {
    const across = this[along === "x" ? "y" : "x"], columns = this.x.length;
    const where = between(across, at);
    if (!where) return [];
    const [index, share] = where, levels = this.levels[scale];
    const mixed = (values, place) => {
      const value = number => along === "x" ? values(number, place) : values(place, number);
      const first = value(index);
      return share ? first + share * (value(index + 1) - first) : first;
    };
    return this[along].map((place, number) => ({
      place,
      level: mixed((row, column) => levels[row * columns + column], number),
      stderr: this.stderr ? mixed((row, column) => this.stderr[row][column] ?? NaN, number) : NaN,
    }));
  }

  levelAt(x, y, scale) {
    const points = this.cut("x", y, scale), where = between(this.x, x);
    if (!where || !points.length) return NaN;
    const [index, share] = where, first = points[index].level;
    return share ? first + share * (points[index + 1].level - first) : first;
  }

  // What is said of the grid point that is nearest to the place.
  text([x, y]) {
    const column = nearest(this.x, x), row = nearest(this.y, y);
    const loss = this.loss[row][column], stderr = this.stderr ? this.stderr[row][column] : null;
    const parts = [`loss ${withError(loss, stderr)}`];
    const relative = this.refinement?.[row][column] ?? null;
    if (relative !== null) parts.push(`refined, itself ± ${threeDigits(100 * relative)} %`);
    const accuracy = this.accuracy?.[row][column] ?? null;
    if (accuracy !== null) parts.push(`accuracy ${accuracy.toFixed(2)} %`);
    return `${this.#place(this.x[column], this.y[row])}: ${parts.join(", ")}`;
  }

  pathText(number) {
    const [x, y, loss] = this.path[number];
    return `point ${number} of the trajectory, ${this.#place(x, y)}: loss ${withError(loss, null)}`;
  }

  get spans() {
    return [this.x.at(-1) - this.x[0], this.y.at(-1) - this.y[0]];
  }

  #place(x, y) {
    const [width, height] = this.spans;
    return `x ${coordinate(x, width, 4)}, y ${coordinate(y, height, 4)}`;
  }
}
