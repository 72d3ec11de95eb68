// Marks points on an image with the mouse, or with a cross that the arrow keys move.
"use strict";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Let the user mark points.
 * @param wanted {least, most, hint, closed}: numbers of points, hint(count), whether to close the line
 * @param say shows a hint; "" hides it
 * @returns a promise of the pixels as [x, y], or of null after Esc
 */
export function pick(picture, { least, most, hint, closed }, say) {
  const { map } = picture;
  const places = [];
  const cross = L.marker(map.getCenter(), {
    icon: L.divIcon({ className: "cross", iconSize: [31, 31] }), interactive: false, keyboard: false,
    pane: "labels",
  }).addTo(map);
  const line = (closed ? L.polygon : L.polyline)([], {
    color: "#ffffff", weight: 2, dashArray: "6 4", interactive: false, pane: "labels",
  }).addTo(map);

  return new Promise((resolve) => {
    const draw = () => {
      line.setLatLngs([...places, cross.getLatLng()]);
      say(hint(places.length));
    };
    const finish = (done) => {
      map.off("click", clicked).off("mousemove", moved).off("dblclick", twice);
      window.removeEventListener("keydown", typed, true);
      cross.remove();
      line.remove();
      map.keyboard.enable();
      map.doubleClickZoom.enable();
      map.getContainer().classList.remove("picking");
      say("");
      resolve(done ? places.map((place) => picture.pixel(place)) : null);
    };
    const add = (place) => {
      places.push(place);
      if (places.length >= most) finish(true);
      else draw();
    };
    const clicked = ({ latlng, originalEvent }) => {
      if (originalEvent.detail < 2) add(latlng);
    };
    const twice = () => places.length >= least && finish(true);
    const moved = ({ latlng }) => {
      cross.setLatLng(latlng);
      draw();
    };
    const typed = (event) => {
      if (event.key !== "Escape" && event.target.closest?.("input, select, textarea, button, a, summary, dialog")) return;
      const step = ARROWS[event.key];
      if (step) {
        const by = event.shiftKey ? 20 : 4;
        const point = map.latLngToContainerPoint(cross.getLatLng()).add([step[0] * by, step[1] * by]);
        cross.setLatLng(map.containerPointToLatLng(point));
        if (!map.getBounds().contains(cross.getLatLng())) map.panTo(cross.getLatLng(), { animate: false });
        draw();
      } else if (event.key === " ") add(cross.getLatLng());
      else if (event.key === "Enter") {
        if (places.length >= least) finish(true);
        else add(cross.getLatLng());
      } else if (event.key === "Backspace") {
        places.pop();
        draw();
      } else if (event.key === "Escape") finish(false);
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    map.keyboard.disable();
    map.doubleClickZoom.disable();
    map.getContainer().classList.add("picking");
    map.getContainer().focus({ preventScroll: true });
    map.on("click", clicked).on("mousemove", moved).on("dblclick", twice);
    window.addEventListener("keydown", typed, true);
    draw();
  });
}
