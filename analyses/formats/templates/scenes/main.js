(() => {
"use strict";
{% include "scenes/numbers.js" %}
{% include "scenes/raster.js" %}
{% include "scenes/grid.js" %}
{% include "scenes/scene.js" %}
{% include "scenes/profile.js" %}

// What the page shows, and what changes it. All surfaces share one view.

const HOME = {azimuth: -55, elevation: 28, zoom: 1};  // as in the pictures
const TURN = 5, ZOOM = 1.15;  // degrees and factor of a key
const content = JSON.parse(document.getElementById("content").textContent);
const root = document.querySelector(".scenes");
const all = selector => [...root.querySelectorAll(selector)];
const grids = content.panels.map(panel => new Grid(panel, content.scales));
const rgb = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
const shades = content.colours.map(rgb);
const scenes = all("canvas.plot").map((canvas, number) => new Scene(canvas, grids[number], shades));
const profiles = all("canvas.profile").map(canvas => new Profile(canvas, canvas.dataset.along, grids));
const outputs = all("output");
const view = {camera: {...HOME}, scale: content.shown, cut: {x: 0, y: 0}, isFine: true};
// The place under the pointer, and the point of a trajectory there.
let pointed = null, isDrawn = false, fineDuration = 0;

function colours() {
  const style = getComputedStyle(root), of = name => style.getPropertyValue(`--scene-${name}`).trim();
  return {
    ink: of("ink"), quiet: of("quiet"), line: of("line"), wall: of("wall"),
    text: rgb(of("ink")), path: rgb(content.pathColour), band: Number(of("band")),
  };
}

function draw() {
  isDrawn = true;
  const scale = content.scales[view.scale];
  const shown = {...view, colours: colours(), place: pointed ? pointed.place : null};
  const start = performance.now();
  scenes.forEach((scene, number) => {
    scene.draw(shown, scale);
    const {azimuth, elevation, zoom} = view.camera;
    scene.canvas.setAttribute("aria-label", `${scene.canvas.dataset.name}, seen from azimuth ` +
      `${Math.round(azimuth)}°, elevation ${Math.round(elevation)}°, zoom ${zoom.toFixed(2)}`);
    const isStep = pointed?.step !== undefined && pointed.number === number;
    outputs[number].textContent = isStep ? grids[number].pathText(pointed.step)
      : grids[number].text(pointed ? pointed.place : [view.cut.x, view.cut.y]);
  });
  if (view.isFine) fineDuration = performance.now() - start;
  for (const profile of profiles) profile.draw(shown, scale);
}

function update() {
  if (!isDrawn) return;
  isDrawn = false;
  requestAnimationFrame(draw);
}

// While surfaces that take long are turned, they are drawn with fewer pixels.
let rest = 0;
function turn(change) {
  const {camera} = view;
  change(camera);
  camera.azimuth = ((camera.azimuth + 180) % 360 + 360) % 360 - 180;
  camera.elevation = Math.min(90, Math.max(-90, camera.elevation));
  camera.zoom = Math.min(8, Math.max(0.5, camera.zoom));
  view.isFine = fineDuration < 40;
  clearTimeout(rest);
  if (!view.isFine) rest = setTimeout(() => { view.isFine = true; update(); }, 200);
  update();
}

const actions = {
  ArrowLeft: camera => { camera.azimuth -= TURN; },
  ArrowRight: camera => { camera.azimuth += TURN; },
  ArrowUp: camera => { camera.elevation += TURN; },
  ArrowDown: camera => { camera.elevation -= TURN; },
  "+": camera => { camera.zoom *= ZOOM; },
  "-": camera => { camera.zoom /= ZOOM; },
  0: camera => { Object.assign(camera, HOME); },
};
Object.assign(actions, {"=": actions["+"], _: actions["-"], Home: actions[0]});

function point(place) {
  pointed = place;
  update();
}

function moveCut(place) {
  sliders.forEach(({slider, name, places}) => {
    slider.value = nearest(places, place[name === "x" ? 0 : 1]);
  });
  readSliders();
}

scenes.forEach(({canvas}, number) => {
  const pick = event => {
    const place = scenes[number].pick(event.offsetX, event.offsetY);
    return place && {...place, number};
  };
  let start = null;
  canvas.addEventListener("keydown", event => {
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    turn(action);
  });
  canvas.addEventListener("pointerdown", event => {
    start = {x: event.clientX, y: event.clientY, camera: {...view.camera}, hasMoved: false};
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    if (!start) return point(pick(event));
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    start.hasMoved ||= Math.hypot(dx, dy) > 4;
    if (!start.hasMoved) return;
    turn(camera => {
      camera.azimuth = start.camera.azimuth - 180 * dx / canvas.clientWidth;
      camera.elevation = start.camera.elevation + 180 * dy / canvas.clientHeight;
    });
  });
  canvas.addEventListener("pointerup", event => {
    const place = start && !start.hasMoved && pick(event);
    start = null;
    if (place) moveCut(place.place);
  });
  canvas.addEventListener("pointercancel", () => { start = null; });
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("wheel", event => {
    // A page is scrolled over surfaces; one that has the focus is zoomed.
    if (document.activeElement !== canvas) return;
    event.preventDefault();
    turn(camera => { camera.zoom *= ZOOM ** (-Math.sign(event.deltaY)); });
  }, {passive: false});
});

profiles.forEach(profile => {
  const placeOf = event => {
    const at = profile.placeAt(event.offsetX);
    return profile.along === "x" ? [at, view.cut.y] : [view.cut.x, at];
  };
  profile.canvas.addEventListener("pointermove", event => point({place: placeOf(event)}));
  profile.canvas.addEventListener("pointerleave", () => point(null));
  profile.canvas.addEventListener("click", event => moveCut(placeOf(event)));
});

// The cuts are at lines of the grids, of any of them, and first at the network itself.
const sliders = all("input[type=range]").map(slider => {
  const name = slider.name;
  const lines = grids.flatMap(grid => grid[name]);
  const isWithin = Math.min(...lines) <= 0 && Math.max(...lines) >= 0;
  const places = [...new Set([...lines, ...(isWithin ? [0] : [])])].sort((a, b) => a - b);
  slider.max = places.length - 1;
  slider.value = nearest(places, 0);
  slider.addEventListener("input", readSliders);
  return {slider, name, places, span: places.at(-1) - places[0]};
});

function readSliders() {
  for (const {slider, name, places, span} of sliders) {
    view.cut[name] = places[slider.value];
    const text = `${name} = ${coordinate(view.cut[name], span)}`;
    slider.setAttribute("aria-valuetext", text);
    for (const place of all(`[data-cut=${name}]`)) place.textContent = text;
  }
  update();
}

for (const button of all("button[data-key]")) {
  button.addEventListener("click", () => turn(actions[button.dataset.key]));
}

const change = root.querySelector("button.change");
if (change) {
  const other = () => view.scale === "log" ? "linear" : "log";
  const name = () => { change.textContent = `Show ${other()} scale`; };
  change.addEventListener("click", () => {
    view.scale = other();
    for (const bar of all(".bar")) bar.hidden = bar.dataset.scale !== view.scale;
    name();
    update();
  });
  name();
}

root.classList.add("live");
isDrawn = true;
readSliders();
new ResizeObserver(update).observe(root);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
})();
