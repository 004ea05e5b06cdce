// The losses of all networks along one line, on one scale: a chart on a canvas.

const DASHES = {"-": [], "--": [7, 4], "-.": [7, 3, 2, 3], ":": [2, 3]};
const MARGIN = {left: 46, right: 12, top: 8, bottom: 34};

class Profile {
  constructor(canvas, along, grids) {
    Object.assign(this, {canvas, along, grids});
    this.low = Math.min(...grids.map(grid => grid[along][0]));
    this.high = Math.max(...grids.map(grid => grid[along].at(-1)));
  }

  draw(view, scale) {
    const {canvas, along} = this, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    const context = emptyContext(canvas, width, height);
    const [bottom, right] = [height - MARGIN.bottom, width - MARGIN.right];
    const across = place =>
      MARGIN.left + (place - this.low) / (this.high - this.low || 1) * (right - MARGIN.left);
    const up = level => bottom - level * (bottom - MARGIN.top);
    this.#drawAxes(context, view.colours, scale, {across, up, bottom, right});
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, MARGIN.top, right - MARGIN.left, bottom - MARGIN.top);
    context.clip();
    for (const grid of this.grids) this.#drawCurve(context, grid, view, scale, {across, up});
    const here = view.cut[along];
    context.strokeStyle = view.colours.quiet;
    context.setLineDash([]);
    context.lineWidth = 1;
    strokeLine(context, [across(here), MARGIN.top], [across(here), bottom]);
    context.restore();
  }

  // The coordinate at so many pixels from the left.
  placeAt(x) {
    const share = (x - MARGIN.left) / (this.canvas.clientWidth - MARGIN.right - MARGIN.left);
    return this.low + Math.min(1, Math.max(0, share)) * (this.high - this.low);
  }

  #drawCurve(context, grid, view, scale, {across, up}) {
    const points = grid.cut(this.along, view.cut[this.along === "x" ? "y" : "x"], view.scale);
    const ink = grid.colour === "#000000" ? view.colours.ink : grid.colour;
    const lossOf = level => {
      const height = scale.low + level * (scale.high - scale.low);
      return scale.log ? 10 ** height : height;
    };
    // Runs of points that have a height.
    const runs = [[]];
    for (const point of points) {
      if (isNaN(point.level)) runs.push([]);
      else runs.at(-1).push({...point, loss: lossOf(point.level)});
    }
    for (const run of runs.filter(run => run.length)) {
      const edge = (sign, point) => {
        const level = levelOf(point.loss + sign * grid.interval * (point.stderr || 0), scale);
        return [across(point.place), up(isNaN(level) ? -1 : level)];
      };
      trace(context, [...run.map(point => edge(1, point)), ...run.map(point => edge(-1, point)).reverse()]);
      context.globalAlpha = view.colours.band;
      context.fillStyle = ink;
      context.fill();
      context.globalAlpha = 1;
      context.beginPath();
      run.forEach(({place, level}, number) =>
        number ? context.lineTo(across(place), up(level)) : context.moveTo(across(place), up(level)));
      context.strokeStyle = ink;
      context.lineWidth = 1.8;
      context.setLineDash(DASHES[grid.dash] || []);
      context.stroke();
      if (run.length === 1) {  // between holes, where a line has no length
        context.fillRect(across(run[0].place) - 1.5, up(run[0].level) - 1.5, 3, 3);
      }
    }
  }

  #drawAxes(context, colours, scale, {across, up, bottom, right}) {
    context.fillStyle = colours.quiet;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const [height, text] of scale.ticks) {
      const y = up((height - scale.low) / (scale.high - scale.low));
      strokeLine(context, [MARGIN.left, y], [right, y]);
      context.fillText(text, MARGIN.left - 5, y);
    }
    context.textAlign = "center";
    const span = this.high - this.low;
    for (const place of [this.low, (this.low + this.high) / 2, this.high]) {
      strokeLine(context, [across(place), MARGIN.top], [across(place), bottom]);
      context.fillText(coordinate(place, span), across(place), bottom + 11);
    }
    context.fillText(this.along, across(this.low + 0.5 * span), bottom + 25);
  }
}
