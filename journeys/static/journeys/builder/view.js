/* The canvas: zoom, pan, fit, an overview of big maps, and moving about by keyboard. */

const LEAST = 0.05;
const MOST = 1.6;
const EDGE = 40;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.world = canvas.querySelector("[data-world]");
    this.overview = canvas.querySelector("[data-overview]");
    this.output = canvas.querySelector("[data-zoom]");
    this.x = 0;
    this.y = 0;
    this.scale = 1;
    this.size = [0, 0];
    this.boxes = {};
    this.pointers = new Map();
    this.listen();
  }

  /** Show a map of this size; the place one looks at stays. */
  show(width, height, boxes) {
    this.size = [width, height];
    this.boxes = boxes;
    this.world.style.width = `${width}px`;
    this.world.style.height = `${height}px`;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [mapWidth, mapHeight] = this.size.map((side) => side * this.scale);
    const span = (map, room) => (map < room - 2 * EDGE ? [0, room - map] : [room - map - EDGE * 3, EDGE * 3]);
    this.x = clamp(this.x, ...span(mapWidth, width));
    this.y = clamp(this.y, ...span(mapHeight, height));
    this.world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.output.textContent = `${Math.round(this.scale * 100)} %`;
    // Dots too close to each other would be a grey ground.
    let dots = 24 * this.scale;
    while (dots < 14) dots *= 2;
    this.canvas.style.setProperty("--jb-dot", `${dots}px`);
    this.canvas.style.setProperty("--jb-x", `${this.x}px`);
    this.canvas.style.setProperty("--jb-y", `${this.y}px`);
    this.drawOverview(width, height);
  }

  drawOverview(width, height) {
    const [mapWidth, mapHeight] = this.size;
    const big = mapWidth * this.scale > width * 1.05 || mapHeight * this.scale > height * 1.3;
    const shown = big && width >= 800;
    this.overview.toggleAttribute("hidden", !shown);
    if (!shown) return;
    const ratio = Math.min(150 / mapWidth, 180 / mapHeight);
    const rects = Object.values(this.boxes).map(
      ([x, y, w, h]) => `<rect class="jb-over-card" x="${x}" y="${y}" width="${w}" height="${h}" rx="20"/>`,
    );
    const seen = [-this.x, -this.y, width, height].map((side) => side / this.scale);
    rects.push(
      `<rect class="jb-over-seen" x="${seen[0]}" y="${seen[1]}" width="${seen[2]}" height="${seen[3]}" rx="20"/>`,
    );
    this.overview.setAttribute("viewBox", `0 0 ${mapWidth} ${mapHeight}`);
    this.overview.setAttribute("width", mapWidth * ratio);
    this.overview.setAttribute("height", mapHeight * ratio);
    this.overview.innerHTML = rects.join("");
  }

  zoom(factor, at = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]) {
    const scale = clamp(this.scale * factor, LEAST, MOST);
    this.x = at[0] - ((at[0] - this.x) * scale) / this.scale;
    this.y = at[1] - ((at[1] - this.y) * scale) / this.scale;
    this.scale = scale;
    this.draw();
  }

  /** The whole map; not larger than life, and not so small that nobody can read it. */
  fit(least = LEAST) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [mapWidth, mapHeight] = this.size;
    const whole = Math.min((width - EDGE) / mapWidth, (height - EDGE) / mapHeight, 1);
    this.scale = clamp(whole, least, 1);
    this.x = (width - mapWidth * this.scale) / 2;
    this.y = whole < least ? EDGE / 2 : Math.max((height - mapHeight * this.scale) / 2, 0);
    this.draw();
  }

  /** Begin at the start, as large as one reads comfortably. */
  begin() {
    this.fit(this.canvas.clientWidth < 560 ? 0.8 : 0.85);
    const entry = this.boxes["@entry"];
    if (entry) {
      const [x, y, width] = entry;
      const middle = (x + width / 2) * this.scale;
      if (this.size[0] * this.scale > this.canvas.clientWidth) this.x = this.canvas.clientWidth / 2 - middle;
      if (this.size[1] * this.scale > this.canvas.clientHeight) this.y = EDGE / 2 - y * this.scale + 16;
      this.draw();
    }
  }

  /** Bring a thing on the map into sight. */
  reveal(element) {
    const box = element.getBoundingClientRect();
    const room = this.canvas.getBoundingClientRect();
    const pad = 24;
    if (box.left < room.left + pad) this.x += room.left + pad - box.left;
    else if (box.right > room.right - pad) this.x -= box.right - room.right + pad;
    if (box.top < room.top + pad) this.y += room.top + pad - box.top;
    else if (box.bottom > room.bottom - pad) this.y -= box.bottom - room.bottom + pad;
    this.draw();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (event.ctrlKey || event.metaKey) {
          const room = canvas.getBoundingClientRect();
          this.zoom(Math.exp(-event.deltaY / 300), [event.clientX - room.left, event.clientY - room.top]);
        } else {
          this.x -= event.shiftKey ? event.deltaY : event.deltaX;
          this.y -= event.shiftKey ? 0 : event.deltaY;
          this.draw();
        }
      },
      { passive: false },
    );
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    this.overview.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      const room = this.overview.getBoundingClientRect();
      const ratio = this.size[0] / room.width;
      this.x = canvas.clientWidth / 2 - (event.clientX - room.left) * ratio * this.scale;
      this.y = canvas.clientHeight / 2 - (event.clientY - room.top) * ratio * this.scale;
      this.draw();
    });
    // A browser scrolls to what has the focus or is looked for; here the map moves instead.
    canvas.addEventListener("scroll", () => {
      const { scrollLeft, scrollTop } = canvas;
      if (!scrollLeft && !scrollTop) return;
      canvas.scrollTo(0, 0);
      this.x -= scrollLeft;
      this.y -= scrollTop;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  press(event) {
    if (event.target.closest("button, a, select, input") && event.pointerType === "mouse") return;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  drag(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const here = [event.clientX, event.clientY];
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (others.length) {
      const [other] = others;
      const room = this.canvas.getBoundingClientRect();
      const span = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1;
      this.zoom(span(here) / span(last), [
        (here[0] + other[0]) / 2 - room.left,
        (here[1] + other[1]) / 2 - room.top,
      ]);
    } else {
      this.x += here[0] - last[0];
      this.y += here[1] - last[1];
      this.draw();
      if (Math.hypot(here[0] - last[0], here[1] - last[1]) > 3) this.canvas.setPointerCapture(event.pointerId);
    }
    this.pointers.set(event.pointerId, here);
  }
}

const WAYS = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** The nearest of `others` from `from` in the direction of an arrow key; null where there is none. */
export function neighbour(from, others, key) {
  const way = WAYS[key];
  if (!way) return null;
  const middle = (element) => {
    const box = element.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [x, y] = middle(from);
  let best = null;
  let least = Infinity;
  for (const other of others) {
    if (other === from) continue;
    const [otherX, otherY] = middle(other);
    const along = (otherX - x) * way[0] + (otherY - y) * way[1];
    const across = Math.abs((otherX - x) * way[1]) + Math.abs((otherY - y) * way[0]);
    if (along < 4 || (way[0] !== 0 && across > along * 1.5)) continue;
    const far = along + across * (way[1] !== 0 ? 0.6 : 2);
    if (far < least) [best, least] = [other, far];
  }
  return best;
}
