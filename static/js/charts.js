// Draws every [data-chart] from its json_script with a plotly template made of the page's tokens.
(() => {
  "use strict";
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);

  // light-dark() only resolves as a used colour, never in a custom property.
  function colour(token) {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  }

  function template() {
    const series = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => colour(`--chart-${n}`));
    const axis = {
      gridcolor: colour("--line"),
      linecolor: colour("--line-strong"),
      zerolinecolor: colour("--line-strong"),
      automargin: true,
      title: { font: { size: 12, color: colour("--text-3") }, standoff: 8 },
    };
    return {
      layout: {
        colorway: series,
        xaxis: axis,
        yaxis: axis,
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: {
          family: getComputedStyle(document.body).fontFamily,
          size: 12,
          color: colour("--text-2"),
        },
        margin: { l: 48, r: 12, t: 12, b: 36 },
        hovermode: "closest",
        hoverlabel: {
          bgcolor: colour("--raised"),
          bordercolor: colour("--line-strong"),
          font: { color: colour("--text") },
        },
        legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
        colorscale: {
          sequential: [
            [0, colour("--accent-soft")],
            [1, colour("--accent")],
          ],
        },
      },
    };
  }

  function resolve(value) {
    if (typeof value === "string") return value.startsWith("--") ? colour(value) : value;
    if (Array.isArray(value)) return value.map(resolve);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner)]));
    }
    return value;
  }

  function follow(event) {
    const address = [event.points[0].customdata].flat()[0];
    if (typeof address === "string" && /^\/(?!\/)/.test(address)) location.assign(address);
  }

  function draw(element) {
    const source = document.getElementById(element.dataset.chart);
    if (!source) return;
    const figure = resolve(JSON.parse(source.textContent));
    const layout = { ...figure.layout, template: template() };
    window.Plotly.react(element, figure.data, layout, {
      responsive: true,
      displaylogo: false,
      displayModeBar: false,
    });
    if (element.dataset.drawn) return;
    element.dataset.drawn = "yes";
    element.on("plotly_click", follow);
  }

  const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);
  document.addEventListener("hub:theme", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
  if (document.readyState !== "loading") drawAll();
})();
