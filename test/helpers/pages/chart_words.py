"""The text that the charts of a report paint: what is clipped, and what lies over other text."""

from __future__ import annotations

from helpers.pages.browser import Page

SCRIPT = """
(() => {
  const found = [];
  const before = (a, b) => a.x1 - 1.5 <= b.x0 || a.y1 - 1.5 <= b.y0;
  const overlap = (a, b) => !before(a, b) && !before(b, a);
  const compare = (boxes) => boxes.forEach((a, n) => boxes.slice(n + 1).forEach((b) => {
    if (overlap(a, b)) found.push(`chart: "${a.text}" overlaps "${b.text}"`);
  }));
  // Each chart is painted again, and its words are measured.
  const paint = CanvasRenderingContext2D.prototype.fillText;
  let words = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const size = this.measureText(text), matrix = this.getTransform();
    const corners = [[-size.actualBoundingBoxLeft, -size.actualBoundingBoxAscent],
      [size.actualBoundingBoxRight, size.actualBoundingBoxDescent]].map(([dx, dy]) =>
      matrix.transformPoint(new DOMPoint(x + dx, y + dy)));
    const xs = corners.map((c) => c.x), ys = corners.map((c) => c.y);
    words.push({ text, x0: Math.min(...xs), x1: Math.max(...xs),
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
    compare(words);
  });
  CanvasRenderingContext2D.prototype.fillText = paint;
  return [found, count];
})()
"""


def chart_problems(page: Page) -> list[str]:
    """Return the words in the charts that are clipped or overlap."""
    found, painted = page.value(SCRIPT)
    assert painted > 20, 'the charts have hardly any text'
    return list(found)
