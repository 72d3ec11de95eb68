// A button on the map that measures distances: click along a path; Escape or the button ends it.
"use strict";

const shipdetMeasure = {
  text: (meters) => meters < 2000
    ? `${meters.toFixed(meters < 20 ? 1 : 0)} m`
    : `${(meters / 1000).toFixed(2)} km · ${(meters / 1852).toFixed(2)} nm`,

  addTo(map) {
    const line = L.polyline([], { color: "#d4006a", weight: 3, dashArray: "6 6" });
    const label = L.tooltip({ permanent: true, direction: "right", offset: [10, 0] });
    let button, measuring = false;

    function show(points) {
      line.setLatLngs(points);
      if (points.length < 2) return label.remove();
      let meters = 0;
      for (let i = 1; i < points.length; i += 1) meters += map.distance(points[i - 1], points[i]);
      label.setLatLng(points.at(-1)).setContent(shipdetMeasure.text(meters)).addTo(map);
    }
    let fixed = [];
    const move = ({ latlng }) => { if (fixed.length) show([...fixed, latlng]); };
    const click = ({ latlng }) => {
      fixed.push(latlng);
      show(fixed);
    };
    const escape = ({ key }) => { if (key === "Escape") stop(); };

    function start() {
      measuring = true;
      fixed = [];
      show([]);
      line.addTo(map);
      map.doubleClickZoom.disable();
      map.getContainer().classList.add("sd-measuring");
      map.on("click", click).on("mousemove", move);
      document.addEventListener("keydown", escape);
      button.setAttribute("aria-pressed", "true");
    }
    // The measured line stays until the next measurement or until the button is pressed again.
    function stop() {
      measuring = false;
      map.off("click", click).off("mousemove", move);
      map.doubleClickZoom.enable();
      map.getContainer().classList.remove("sd-measuring");
      document.removeEventListener("keydown", escape);
      button.setAttribute("aria-pressed", "false");
      show(fixed);
      if (fixed.length < 2) line.remove();
    }

    const control = L.control({ position: "topleft" });
    control.onAdd = () => {
      const bar = L.DomUtil.create("div", "leaflet-bar");
      button = L.DomUtil.create("a", "sd-measure", bar);
      Object.assign(button, { href: "#", title: "Measure a distance", role: "button" });
      button.setAttribute("aria-label", "Measure a distance");
      button.setAttribute("aria-pressed", "false");
      L.DomEvent.disableClickPropagation(bar);
      L.DomEvent.on(button, "click", (event) => {
        L.DomEvent.stop(event);
        if (measuring) stop();
        else if (fixed.length) {
          fixed = [];
          show([]);
          line.remove();
        } else start();
      });
      return bar;
    };
    control.addTo(map);
    map.on(L.Draw.Event.DRAWSTART, () => { if (measuring) stop(); });
  },
};
