// Tells which texts are longer than the one line that the dialog has for a title or a choice.
(dialog, { titles, choices }) => {
  const childrenOf = (node) => node.shadowRoot ? [...node.shadowRoot.children]
    : node.localName === "slot" ? node.assignedElements({ flatten: true }) : [...node.children];
  const all = (node) => [node, ...childrenOf(node).flatMap(all)];
  const elements = all(dialog);
  const pen = document.createElement("canvas").getContext("2d");
  const tooLong = (line, texts) => {
    pen.font = getComputedStyle(line).font;
    pen.letterSpacing = getComputedStyle(line).letterSpacing;
    return texts.filter((text) => pen.measureText(text).width > line.clientWidth);
  };
  return [
    ...tooLong(elements.find((element) => element.matches(".dialog-title")), titles),
    ...tooLong(elements.find((element) => element.matches(".mdc-deprecated-list-item__primary-text")), choices),
  ];
}
