// A picture of triangles, lines and discs that hide each other by a depth for each pixel.

class Raster {
  // `shades` are the colours of a surface from its lowest to its highest level, as [r, g, b].
  constructor(shades) {
    this.shades = Uint32Array.from(shades, ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0);
    this.sheet = document.createElement("canvas");
  }

  clear(width, height) {
    const count = width * height;
    if (!this.depth || this.depth.length < count) {
      this.bytes = new ArrayBuffer(4 * count);
      this.depth = new Float32Array(count);
      this.cells = new Int32Array(count);
    }
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(this.bytes, 0, count);
    this.pixels.fill(0);
    this.depth.fill(0, 0, count);
    this.cells.fill(-1, 0, count);
  }

  // The points have arrays x and y in pixels, `near`, which grows toward the viewer and is linear
  // over the picture, and `level`. What is not between the levels 0 and 1 is left out.
  triangle({x, y, near, level}, a, b, c, cell) {
    const {width, height, pixels, depth, cells, shades} = this;
    const ax = x[a], ay = y[a], bx = x[b], by = y[b], cx = x[c], cy = y[c];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (!area) return;
    const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const right = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const bottom = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const px = column + 0.5, py = row + 0.5;
        const u = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area;
        const v = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area;
        const w = 1 - u - v;
        if (u < 0 || v < 0 || w < -1e-9) continue;
        const at = row * width + column;
        const distance = u * near[a] + v * near[b] + w * near[c];
        if (distance <= depth[at]) continue;
        const shown = u * level[a] + v * level[b] + w * level[c];
        if (shown < 0 || shown > 1) continue;
        depth[at] = distance;
        cells[at] = cell;
        pixels[at] = shades[Math.round(shown * (shades.length - 1))];
      }
    }
  }

  // From one [x, y, near] to another; `bias` lifts it toward the viewer.
  line([ax, ay, an], [bx, by, bn], colour, {thickness = 1, alpha = 1, bias = 0.004} = {}) {
    const steps = Math.ceil(Math.max(Math.abs(bx - ax), Math.abs(by - ay), 1));
    const isSteep = Math.abs(by - ay) > Math.abs(bx - ax);
    for (let step = 0; step < steps; step++) {
      const share = (step + 0.5) / steps;
      const x = ax + share * (bx - ax), y = ay + share * (by - ay);
      const distance = (an + share * (bn - an)) * (1 + bias);
      for (let offset = (1 - thickness) / 2; offset <= thickness / 2; offset++) {
        const column = Math.floor(isSteep ? x + offset : x), row = Math.floor(isSteep ? y : y + offset);
        this.#blend(column, row, distance, colour, alpha);
      }
    }
  }

  // Around an [x, y, near]; hidden where its centre is.
  disc([x, y, near], radius, colour) {
    if (!this.isVisible([x, y, near])) return;
    for (let row = Math.floor(y - radius); row <= y + radius; row++) {
      for (let column = Math.floor(x - radius); column <= x + radius; column++) {
        if (Math.hypot(column + 0.5 - x, row + 0.5 - y) <= radius) {
          this.#blend(column, row, Infinity, colour, 1);
        }
      }
    }
  }

  isVisible([x, y, near]) {
    const column = Math.floor(x), row = Math.floor(y);
    const isInside = column >= 0 && column < this.width && row >= 0 && row < this.height;
    return isInside && near * 1.02 >= this.depth[row * this.width + column];
  }

  // The picture, as what `drawImage` takes.
  image() {
    this.sheet.width = this.width;
    this.sheet.height = this.height;
    const bytes = new Uint8ClampedArray(this.bytes, 0, 4 * this.width * this.height);
    this.sheet.getContext("2d").putImageData(new ImageData(bytes, this.width, this.height), 0, 0);
    return this.sheet;
  }

  #blend(column, row, distance, [r, g, b], alpha) {
    if (column < 0 || column >= this.width || row < 0 || row >= this.height) return;
    const at = row * this.width + column;
    if (distance < this.depth[at]) return;
    const below = this.pixels[at];
    const mix = below >>> 24 ? alpha : 1;
    const blended = (shift, value) =>
      Math.round(mix * value + (1 - mix) * (below >>> shift & 255)) << shift;
    const opacity = below >>> 24 ? 255 : Math.round(255 * alpha);
    this.pixels[at] = (opacity << 24 | blended(16, b) | blended(8, g) | blended(0, r)) >>> 0;
  }
}

// An empty canvas of the size that it is shown with, which is drawn on in pixels of the page.
function emptyContext(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
