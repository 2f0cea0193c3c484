// Measures one picture as it is drawn: how each text and line stands out from what is behind it, and where texts are.
(smallestLine) => {
  const svg = document.documentElement;
  const MARKS = ["text", "path", "circle", "rect"];

  const parse = (colour) => (colour.match(/[\d.]+/g) || []).slice(0, 3).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = parse(colour).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const paint = (value) => value !== "none" && value !== "";

  // What <use> shows cannot be looked into: put copies in its place.
  for (let uses; (uses = [...svg.querySelectorAll("use")].filter((use) => !use.closest("defs"))).length; ) {
    for (const use of uses) {
      const copy = document.createElementNS(svg.namespaceURI, "g");
      const at = (axis) => use.getAttribute(axis) || 0;
      copy.setAttribute("transform", `${use.getAttribute("transform") || ""} translate(${at("x")},${at("y")})`);
      copy.append(document.querySelector(use.getAttribute("href")).cloneNode(true));
      copy.querySelectorAll("[id]").forEach((part) => part.removeAttribute("id"));
      use.replaceWith(copy);
    }
  }

  // The topmost area behind a point, without the mark itself and what is drawn after it.
  const behind = (mark, x, y) => {
    const stack = document.elementsFromPoint(x, y);
    const at = stack.indexOf(mark);
    for (const element of at < 0 ? stack : stack.slice(at + 1)) {
      const style = getComputedStyle(element);
      if (element.classList.contains("halo")) return style.stroke;
      if (element === svg || element.tagName === "text" || !paint(style.fill)) continue;
      return style.fill;
    }
    return null;
  };
  const onScreen = (mark, point) => {
    const moved = point.matrixTransform(mark.getScreenCTM());
    return [moved.x, moved.y];
  };
  const name = (mark) => `${mark.tagName}.${mark.getAttribute("class") || ""} "${mark.textContent}"`;

  const texts = [];
  const faint = [];
  for (const mark of svg.querySelectorAll(MARKS.join(","))) {
    if (mark.closest("defs") || mark.classList.contains("halo")) continue;
    const style = getComputedStyle(mark);
    if (mark.tagName === "text") {
      const box = mark.getBoundingClientRect();
      const size = parseFloat(style.fontSize);
      texts.push({ text: mark.textContent, size, box: [box.left, box.top, box.right, box.bottom] });
      const back = behind(mark, (box.left + box.right) / 2, (box.top + box.bottom) / 2);
      const found = back === null ? 1 : ratio(style.fill, back);
      faint.push({ what: name(mark), kind: "text", ratio: found });
    } else if (paint(style.stroke) && !paint(style.fill) && parseFloat(style.strokeWidth) >= smallestLine) {
      const length = mark.getTotalLength();
      let worst = Infinity;
      for (const part of [0.15, 0.5, 0.85]) {
        const [x, y] = onScreen(mark, mark.getPointAtLength(length * part));
        const back = behind(mark, x, y);
        if (back !== null) worst = Math.min(worst, ratio(style.stroke, back));
      }
      if (worst !== Infinity) faint.push({ what: name(mark), kind: "line", ratio: worst });
    } else if (mark.classList.contains("pad")) {
      // Its outline tells where it is, whatever it is made of.
      const [x, y] = [mark.getBoundingClientRect().left - 2, mark.getBoundingClientRect().top + 4];
      const back = behind(mark, x, y);
      if (back !== null) {
        faint.push({ what: name(mark), kind: "area", ratio: Math.max(ratio(style.fill, back), ratio(style.stroke, back)) });
      }
    }
  }
  return { width: svg.width.baseVal.value, height: svg.height.baseVal.value, texts, marks: faint };
};
