// A surface in its box, on a canvas.

// Half the box: as wide as deep, and three quarters as high, as in the pictures.
const HALF = [0.5, 0.5, 0.375];
const DISTANCE = 3;  // of the viewer from the box's middle
const MOST_LINES = 30;  // of the mesh, each way
const SHORTEST_EDGE = 60;  // in pixels, of one that has texts

// How a point of the box falls on a canvas: [x, y, near].
function projection(camera, width, height) {
  const [azimuth, elevation] = [camera.azimuth, camera.elevation].map(angle => angle * Math.PI / 180);
  const [sa, ca, se, ce] = [Math.sin(azimuth), Math.cos(azimuth), Math.sin(elevation), Math.cos(elevation)];
  const fitting = Math.min((width / 2 - 30) / 0.76, (height / 2 - 22) / 0.68);
  const size = camera.zoom * fitting;
  // Room for the texts: below, seen from above.
  const fromAbove = Math.min(1, Math.max(-1, camera.elevation / 20));
  const middle = height / 2 - fromAbove * (12 + 0.04 * fitting);
  const project = (x, y, z) => {
    const near = 1 / (DISTANCE - (ce * ca * x + ce * sa * y + se * z));
    const factor = size * DISTANCE * near;
    return [
      width / 2 + factor * (ca * y - sa * x),
      middle - factor * (ce * z - se * (ca * x + sa * y)),
      near,
    ];
  };
  // The sides of the box that are nearer to the viewer.
  return {project, front: [ca, sa, se].map((part, axis) => part >= 0 ? HALF[axis] : -HALF[axis])};
}

class Scene {
  constructor(canvas, grid, shades) {
    Object.assign(this, {canvas, grid, raster: new Raster(shades)});
  }

  // `view` has the camera, the name of the scale, the cut, the place that is pointed at, whether
  // the picture is fine, and the colours of the page.
  draw(view, scale) {
    const {canvas} = this, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    const context = emptyContext(canvas, width, height);
    Object.assign(this, projection(view.camera, width, height));
    this.detail = view.isFine ? 2 : 1;
    this.#drawBox(context, view.colours, scale);
    this.raster.clear(width * this.detail, height * this.detail);
    this.#drawSurface(view);
    this.#drawCuts(view);
    this.#drawMarks(view);
    context.drawImage(this.raster.image(), 0, 0, width, height);
    this.#drawTicks(context, view.colours, scale);
  }

  // The place under a point of the canvas, and which point of the trajectory is there; or null.
  pick(x, y) {
    const {path} = this.grid, {detail, raster, points} = this;
    const seen = this.pathPoints.map(point => point && raster.isVisible(point)
      ? Math.hypot(point[0] / detail - x, point[1] / detail - y) : Infinity);
    const step = seen.indexOf(Math.min(...seen));
    if (step >= 0 && seen[step] <= 6) return {place: path[step].slice(0, 2), step};
    const [column, row] = [Math.floor(x * detail), Math.floor(y * detail)];
    const isInside = column >= 0 && column < raster.width && row >= 0 && row < raster.height;
    const cell = isInside ? raster.cells[row * raster.width + column] : -1;
    if (cell < 0) return null;
    const columns = this.grid.x.length;
    const corners = [cell, cell + 1, cell + columns, cell + columns + 1];
    const distances = corners.map(at => Math.hypot(points.x[at] - x * detail, points.y[at] - y * detail));
    const corner = corners[distances.indexOf(Math.min(...distances))];
    return {place: [this.grid.x[corner % columns], this.grid.y[Math.floor(corner / columns)]]};
  }

  // A point of the data in pixels of the raster; `level` is from 0 to 1.
  #place(x, y, level) {
    const inBox = (places, place) => (place - places[0]) / (places.at(-1) - places[0] || 1) - 0.5;
    const height = (2 * level - 1) * HALF[2];
    const [px, py, near] = this.project(inBox(this.grid.x, x), inBox(this.grid.y, y), height);
    return [px * this.detail, py * this.detail, near];
  }

  #drawSurface(view) {
    const {grid, raster} = this, columns = grid.x.length, rows = grid.y.length;
    const level = grid.levels[view.scale], count = columns * rows;
    const [x, y, near] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
    for (let at = 0; at < count; at++) {
      const row = Math.floor(at / columns);
      [x[at], y[at], near[at]] = this.#place(grid.x[at % columns], grid.y[row], level[at]);
    }
    this.points = {x, y, near, level};
    for (let row = 0; row < rows - 1; row++) {
      for (let column = 0; column < columns - 1; column++) {
        const at = row * columns + column, above = at + columns;
        // A cell with a corner that has no height is a hole.
        if (isNaN(level[at] + level[at + 1] + level[above] + level[above + 1])) continue;
        raster.triangle(this.points, at, at + 1, above + 1, at);
        raster.triangle(this.points, at, above + 1, above, at);
      }
    }
    const point = at => ({level: level[at], point: [x[at], y[at], near[at]]});
    const every = length => Math.ceil(length / MOST_LINES);
    const mesh = {alpha: 0.16, bias: 0.002};
    for (let row = 0; row < rows; row += every(rows)) {
      this.#curve(Array.from(grid.x, (_, column) => point(row * columns + column)), [0, 0, 0], mesh);
    }
    for (let column = 0; column < columns; column += every(columns)) {
      this.#curve(Array.from(grid.y, (_, row) => point(row * columns + column)), [0, 0, 0], mesh);
    }
  }

  // A line through points; it ends at holes and at the ends of the scale.
  #curve(points, colour, options) {
    points.slice(1).forEach((to, number) => {
      const ends = [points[number], to];
      if (ends.every(({level}) => level >= 0 && level <= 1)) {
        this.raster.line(ends[0].point, ends[1].point, colour, options);
      }
    });
  }

  #drawCuts({cut, scale}) {
    const lines = [["x", cut.y], ["y", cut.x]].map(([along, at]) =>
      this.grid.cut(along, at, scale).map(({place, level}) => {
        const [x, y] = along === "x" ? [place, at] : [at, place];
        return {level, point: this.#place(x, y, level)};
      }));
    // White beside black is seen on every colour.
    for (const line of lines) this.#curve(line, [255, 255, 255], {thickness: 3.5 * this.detail});
    for (const line of lines) this.#curve(line, [0, 0, 0], {thickness: 1.5 * this.detail, bias: 0.006});
  }

  #drawMarks({cut, scale, place, colours}) {
    const {grid, raster, detail} = this;
    const isWithin = ([x, y]) => between(grid.x, x) && between(grid.y, y);
    const mark = ([x, y], radius, inner, outer) => {
      const level = grid.levelAt(x, y, scale);
      if (!(level >= 0 && level <= 1)) return;
      raster.disc(this.#place(x, y, level), (radius + 1) * detail, outer);
      raster.disc(this.#place(x, y, level), radius * detail, inner);
    };
    if (isWithin([cut.x, cut.y])) {
      const [foot, top] = [0, 1].map(level => this.#place(cut.x, cut.y, level));
      raster.line(foot, top, colours.text, {thickness: detail, alpha: 0.8});
    }
    this.pathPoints = (grid.path || []).map(([x, y, loss]) => {
      const level = Math.min(1, Math.max(0, levelOf(loss, grid.scales[scale])));
      return isNaN(level) || x === null || y === null ? null : this.#place(x, y, level);
    });
    this.pathPoints.forEach((point, number, all) => {
      const before = all[number - 1];
      if (point && before) raster.line(before, point, colours.path, {thickness: 2 * detail, bias: 0.02});
    });
    for (const point of this.pathPoints) if (point) raster.disc(point, 2.5 * detail, colours.path);
    if (isWithin([0, 0])) mark([0, 0], 3, [0, 0, 0], [255, 255, 255]);
    if (place && isWithin(place)) {
      const nearestPlace = [grid.x[nearest(grid.x, place[0])], grid.y[nearest(grid.y, place[1])]];
      mark(nearestPlace, 4, [255, 255, 255], [0, 0, 0]);
    }
  }

  // The three sides behind the surface, with lines at the ticks.
  #drawBox(context, colours, scale) {
    const back = this.front.map(side => -side);
    const ticks = this.#ticks(scale);
    for (let axis = 0; axis < 3; axis++) {
      const [first, second] = [0, 1, 2].filter(other => other !== axis);
      const corner = (u, v) => {
        const point = [...back];
        point[first] = u;
        point[second] = v;
        return this.project(...point);
      };
      const [p, q] = [HALF[first], HALF[second]];
      trace(context, [corner(-p, -q), corner(p, -q), corner(p, q), corner(-p, q)]);
      context.fillStyle = colours.wall;
      context.fill();
      context.strokeStyle = colours.line;
      context.lineWidth = 1;
      for (const [at] of ticks[first]) strokeLine(context, corner(at, -q), corner(at, q));
      for (const [at] of ticks[second]) strokeLine(context, corner(-p, at), corner(p, at));
    }
  }

  // The places of the ticks of each axis in the box, with their texts.
  #ticks(scale) {
    const along = (places, half) => {
      const [low, high] = [places[0], places.at(-1)];
      return [[-half, low], [0, (low + high) / 2], [half, high]].map(([at, value]) =>
        [at, coordinate(value, high - low)]);
    };
    const heights = scale.ticks.map(([height, text]) =>
      [(2 * (height - scale.low) / (scale.high - scale.low) - 1) * HALF[2], text]);
    return [along(this.grid.x, HALF[0]), along(this.grid.y, HALF[1]), heights];
  }

  // The texts lie beyond an outer edge of the box along each axis, unless it is seen end on.
  #drawTicks(context, colours, scale) {
    const {project, front} = this, ticks = this.#ticks(scale);
    context.fillStyle = colours.quiet;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    const distance = ([ax, ay], [bx, by]) => Math.hypot(bx - ax, by - ay);
    const centre = project(0, 0, 0);
    const isLong = edge => distance(edge(-1), edge(1)) > SHORTEST_EDGE;
    context.textAlign = "center";
    for (const axis of [0, 1]) {
      // Of the edges in front the one that is farther out, that of the floor or of the ceiling.
      const edges = [-HALF[2], HALF[2]].map(height => (place, side = front[1 - axis]) =>
        axis ? project(side, place * HALF[1], height) : project(place * HALF[0], side, height));
      const [floor, ceiling] = edges.map(edge => distance(edge(0), centre));
      const edge = edges[floor >= ceiling ? 0 : 1];
      if (!isLong(edge)) continue;
      const write = (text, place, beyond) => {
        const [from, to] = [edge(place, 0), edge(place)], length = distance(from, to) || 1;
        const [x, y] = [0, 1].map(part => to[part] + beyond * (to[part] - from[part]) / length);
        context.fillText(text, x, y);
      };
      for (const [at, text] of ticks[axis]) write(text, at / HALF[axis], 13);
      write("xy"[axis], 0.5, 18);  // between two ticks
    }
    const corners = [[1, 1], [1, -1], [-1, 1], [-1, -1]].map(([a, b]) => [a * HALF[0], b * HALF[1]]);
    const rights = corners.map(corner => project(...corner, 0)[0]);
    const right = corners[rights.indexOf(Math.max(...rights))];
    if (!isLong(end => project(...right, end * HALF[2]))) return;
    context.textAlign = "left";
    for (const [at, text] of ticks[2]) {
      const [x, y] = project(...right, at);
      context.fillText(text, x + 5, y);
    }
  }
}

function trace(context, points) {
  context.beginPath();
  points.forEach(([x, y], number) => number ? context.lineTo(x, y) : context.moveTo(x, y));
  context.closePath();
}

function strokeLine(context, [ax, ay], [bx, by]) {
  context.beginPath();
  context.moveTo(ax, ay);
  context.lineTo(bx, by);
  context.stroke();
}
