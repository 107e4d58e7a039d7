"""Measures the text of a page in a browser: what is clipped, and what lies over other text."""

from __future__ import annotations

from helpers.pages.browser import Page

SCRIPT = """
(() => {
  const found = [];
  const before = (a, b) => a.x1 - 1.5 <= b.x0 || a.y1 - 1.5 <= b.y0;
  const overlap = (a, b) => a.owner !== b.owner && !before(a, b) && !before(b, a);
  const compare = (boxes, where) => boxes.forEach((a, n) => boxes.slice(n + 1).forEach((b) => {
    if (overlap(a, b)) found.push(`${where}: "${a.text}" overlaps "${b.text}"`);
  }));
  // Text of the page.
  scrollTo(0, 0);
  const boxes = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || ['SCRIPT', 'STYLE'].includes(parent.tagName)) continue;
    if (parent.closest('details:not([open])') && parent.tagName !== 'SUMMARY') continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 1) continue;
      const scrolls = parent.closest('.scroll');
      if (!scrolls && (box.left < -1 || box.right > document.documentElement.clientWidth + 1)) {
        found.push(`outside the page: "${node.textContent}"`);
      }
      for (let up = parent; up && up !== document.body; up = up.parentElement) {
        const style = getComputedStyle(up), edge = up.getBoundingClientRect();
        const beyond = box.right > edge.right + 1 || box.bottom > edge.bottom + 1;
        if (style.overflowX === 'hidden' && beyond) {
          found.push(`clipped: "${node.textContent}"`);
        }
      }
      boxes.push({ text: node.textContent.trim().slice(0, 40), owner: parent, x0: box.left,
        x1: box.right, y0: box.top + scrollY, y1: box.bottom + scrollY });
    }
  }
  compare(boxes, 'page');
  // Text of the charts, which is painted: each is painted again, and its words are measured.
  const paint = CanvasRenderingContext2D.prototype.fillText;
  let words = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const size = this.measureText(text), matrix = this.getTransform();
    const corners = [[-size.actualBoundingBoxLeft, -size.actualBoundingBoxAscent],
      [size.actualBoundingBoxRight, size.actualBoundingBoxDescent]].map(([dx, dy]) =>
      matrix.transformPoint(new DOMPoint(x + dx, y + dy)));
    const xs = corners.map((c) => c.x), ys = corners.map((c) => c.y);
    words.push({ text, owner: {}, x0: Math.min(...xs), x1: Math.max(...xs),
      y0: Math.min(...ys), y1: Math.max(...ys) });
    return paint.apply(this, arguments);
  };
  let count = 0;
  const roots = window.Bokeh ? Bokeh.documents[0].roots() : [];
  roots.forEach((chart) => {
    words = [];
    const canvas = Bokeh.index.get_by_id(chart.id).export('png').canvas;
    count += words.length;
    words.forEach((box) => {
      if (box.x0 < -1 || box.y0 < -1 || box.x1 > canvas.width + 1 || box.y1 > canvas.height + 1) {
        found.push(`chart: clipped: "${box.text}"`);
      }
    });
    compare(words, 'chart');
  });
  CanvasRenderingContext2D.prototype.fillText = paint;
  return [found, boxes.length, count];
})()
"""


def faults_of_text(page: Page) -> list[str]:
    """:return: each text that is clipped or lies over another one, in the page and its charts."""
    found, texts, painted = page.value(SCRIPT)
    assert texts > 30, 'the page has hardly any text'
    assert painted > 20, 'the charts have hardly any text'
    return found
