// Looks at everything a person would see of one element: returns what is wrong with it, as
// text, and how much higher the window would have to be to show all of it.
async (root) => {
  const wrong = [];
  const childrenOf = (node) =>
    node.shadowRoot ? [...node.shadowRoot.childNodes]
    : node.localName === "slot" ? node.assignedNodes({ flatten: true })
    : [...node.childNodes];
  // Home Assistant's own list of what happened, which cuts off names as it likes.
  const foreign = ["ha-logbook"];
  const all = (node) => foreign.includes(node.localName) ? [] : [node, ...childrenOf(node).flatMap(all)];

  // Texts with Markdown come from a worker, some time after everything else.
  const shownLater = () => all(root).filter((node) => node.localName === "ha-markdown-element" && node.content);
  for (let wait = 0; wait < 100 && shownLater().some((text) => !text.childElementCount); wait++) await new Promise((done) => setTimeout(done, 20));

  const nodes = all(root);
  const elements = nodes.filter((node) => node.nodeType === Node.ELEMENT_NODE);
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const decoration = (element) => ["mwc-ripple", "ha-ripple"].includes((element.getRootNode().host ?? element).localName);
  const named = (element) =>
    `<${element.localName}> "${(all(element).filter((node) => node.nodeType === Node.TEXT_NODE && !/style/i.test(node.parentElement?.localName)).map((node) => node.data).join(" ")).trim().replace(/\s+/g, " ").slice(0, 60)}"`;

  // Pictures: `complete` is also true of one that failed, its natural width is not.
  for (const picture of elements.filter((element) => element.localName === "img" && shown(element))) {
    for (let wait = 0; wait < 100 && !picture.complete; wait++) await new Promise((done) => setTimeout(done, 20));
    if (!picture.naturalWidth) wrong.push(`no picture: ${picture.currentSrc || picture.src}`);
  }

  // Texts: an error of the translation, a raw key, a placeholder without a value.
  const unfit = [
    /translation error/i, /\{\w+\}/, /component\.\w+\./, /\[object /, /^\s*[a-z]+(_[a-z0-9]+)+\s*$/,
    /\b(undefined|NaN)\b/, /<\/?[a-z]+[^>]*>/, /\*\*/, /^\s*\|.*\|/,
  ];
  for (const text of nodes.filter((node) => node.nodeType === Node.TEXT_NODE)) {
    if (!text.parentElement || ["style", "script"].includes(text.parentElement.localName)) continue;
    const found = unfit.find((pattern) => pattern.test(text.data));
    if (found) wrong.push(`text ${found}: ${text.data.trim().slice(0, 80)}`);
  }

  // Widths: nothing leaves the window, nothing is cut off or has to be scrolled sideways.
  const width = document.documentElement.clientWidth;
  const up = (node) => node.assignedSlot || node.parentNode || node.host;
  const tooWide = new Set();
  for (const element of elements.filter(shown)) {
    if (element.closest("svg") || ["input", "textarea"].includes(element.localName) || decoration(element)) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const overflow = getComputedStyle(element).overflowX;
    const outside = box.right > width + 1 || box.left < -1;
    const inside = element.clientWidth && element.scrollWidth > element.clientWidth + 1 && overflow !== "visible";
    if (!outside && !inside) continue;
    // What is inside of something that is too wide is so too; the outermost is enough.
    let outer = up(element);
    while (outer && !tooWide.has(outer)) outer = up(outer);
    tooWide.add(element);
    if (outer) continue;
    wrong.push(inside
      ? `${overflow === "hidden" ? "cut off" : "scrolls sideways"} (${element.scrollWidth} in ${element.clientWidth}): ${named(element)}`
      : `outside (${Math.round(box.left)}…${Math.round(box.right)} of ${width}): ${named(element)}`);
  }

  // Buttons and choices: after scrolling, a click in their middle hits them.
  const hits = (element) => {
    const box = element.getBoundingClientRect();
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    let top = document.elementFromPoint(x, y);
    for (let inner; top?.shadowRoot && (inner = top.shadowRoot.elementFromPoint(x, y)) && inner !== top; ) top = inner;
    for (; top; top = up(top)) if (top === element) return true;
    return false;
  };
  const scrolled = elements.filter((element) => element.scrollTop).map((element) => [element, element.scrollTop]);
  const pressable = ["ha-button", "ha-list-item", "ha-md-list-item", "ha-icon-button", "ha-switch"];
  for (const element of elements.filter((each) => pressable.includes(each.localName) && shown(each))) {
    if (element.disabled) continue;
    element.scrollIntoView({ block: "nearest", behavior: "instant" });
    if (!hits(element)) wrong.push(`cannot be pressed: ${named(element)}`);
  }
  for (const element of elements) if (element.scrollTop) element.scrollTop = 0;
  for (const [element, top] of scrolled) element.scrollTop = top;
  const hidden = elements.map((element) => getComputedStyle(element).overflowY.match(/auto|scroll/) ? element.scrollHeight - element.clientHeight : 0);
  return { wrong: [...new Set(wrong)], hidden: Math.max(0, ...hidden) };
}
