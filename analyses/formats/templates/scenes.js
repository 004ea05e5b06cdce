"use strict";
const {figures, scales, scale} = JSON.parse(document.getElementById("content").textContent);
const plots = [...document.querySelectorAll(".scenes .plot")];
const led = new Set();
let waiting = null, busy = false;

async function follow(leader, camera) {
  waiting = [leader, camera];
  if (busy) return;
  busy = true;
  while (waiting) {
    const [from, view] = waiting;
    waiting = null;
    await Promise.all(plots.filter(plot => plot !== from).map(async plot => {
      led.add(plot);  // its own report of this move is no news
      await Plotly.relayout(plot, {"scene.camera": structuredClone(view)});
      led.delete(plot);
    }));
  }
  busy = false;
}

plots.forEach(async (plot, number) => {
  const {data, layout} = figures[number];
  await Plotly.newPlot(plot, data, layout, {
    responsive: true, displaylogo: false, modeBarButtons: [["toImage", "resetCameraDefault3d"]],
  });
  for (const event of ["plotly_relayouting", "plotly_relayout"]) {
    plot.on(event, change => {
      if (led.has(plot) || !Object.keys(change).some(key => key.startsWith("scene.camera"))) return;
      follow(plot, change["scene.camera"] || plot.layout.scene.camera);
    });
  }
});

const button = document.querySelector(".scenes button");
if (button) {
  let shown = scale;
  const other = () => shown === "log" ? "linear" : "log";
  const name = () => { button.textContent = `Show ${other()} scale`; };
  button.addEventListener("click", () => {
    shown = other();
    const {layout, heights} = scales[shown];
    plots.forEach((plot, number) => Plotly.update(plot, {z: heights[number]}, {...layout}));
    for (const bar of document.querySelectorAll(".scenes .bar")) {
      bar.hidden = bar.dataset.scale !== shown;
    }
    name();
  });
  name();
}
