"""Where the texts of a page stand: what a browser clips, or draws over each other."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from helpers.pages.browser import Page

MEASURE = """
(within => {
  const found = [], boxes = [];
  const width = document.documentElement.clientWidth;
  scrollTo(0, 0);
  const walker = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    const text = node.textContent.trim();
    if (!text || parent.closest('script, style, title') || !parent.checkVisibility()) continue;
    const range = document.createRange();
    const options = parent.closest('code') ? node.textContent.matchAll(/(?<!\\S)--?[a-z-]+/g) : [];
    for (const option of options) {
      range.setStart(node, option.index);
      range.setEnd(node, option.index + option[0].length);
      if (range.getClientRects().length > 1) found.push(`broken: ${option[0]}`);
    }
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      const name = text.slice(0, 40);
      if (!parent.closest('.scroll') && (box.left < -1 || box.right > width + 1))
        found.push(`clipped: ${name} (${box.left.toFixed(0)} to ${box.right.toFixed(0)})`);
      for (let up = parent; up && up !== document.body; up = up.parentElement) {
        const edge = up.getBoundingClientRect();
        const beyond = box.right > edge.right + 1 || box.bottom > edge.bottom + 1;
        if (beyond && getComputedStyle(up).overflowX === 'hidden') found.push(`cut off: ${name}`);
      }
      if (parseFloat(getComputedStyle(parent).fontSize) < 10) found.push(`too small: ${name}`);
      boxes.push([box, name, node]);
    }
  }
  boxes.sort((a, b) => a[0].top - b[0].top);
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length && boxes[j][0].top < boxes[i][0].bottom - 1; j++) {
      const [a, first, one] = boxes[i], [b, second, other] = boxes[j];
      if (one !== other && a.left < b.right - 1 && b.left < a.right - 1
          && b.top < a.bottom - 1.5 && a.top < b.bottom - 1.5)
        found.push(`overlap: ${first} | ${second}`);
    }
  if (document.documentElement.scrollWidth > width + 1) found.push('the page scrolls sideways');
  return [found, boxes.length];
})
"""
LEAST_TEXTS = 30
"""Of a page that was drawn."""


def show_as(page: Page, width: int, scheme: str) -> None:
    """
    Show a page at a width, light or dark.

    :param scheme: light, dark.
    """
    page.send(
        'Emulation.setDeviceMetricsOverride',
        width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
    )  # fmt: skip
    page.send(
        'Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}]
    )


def problems(page: Page, within: str = 'body') -> list[str]:
    """Return the texts in an element that are clipped, overlap, or are too small to read."""
    found, texts = page.value(f'{MEASURE}("{within}")')
    assert texts > LEAST_TEXTS, 'the page has hardly any text'
    return list(found)


def contrast(page: Page, selector: str) -> float:
    """Return the contrast ratio (WCAG 2) of an element's text and the page's background."""
    ratio: Any = page.value(f"""
(() => {{
  const luminance = (element, key) => {{
    const rgb = getComputedStyle(element)[key].match(/[0-9.]+/g).slice(0, 3).map(Number);
    const [r, g, b] = rgb.map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  }};
  const text = luminance(document.querySelector('{selector}'), 'color');
  const back = luminance(document.body, 'backgroundColor');
  return (Math.max(text, back) + .05) / (Math.min(text, back) + .05);
}})()
""")
    return float(ratio)


def screenshot(page: Page, file: Path) -> None:
    """Write a picture of the whole page, for a person."""
    found = page.send('Page.captureScreenshot', captureBeyondViewport=True)
    file.write_bytes(base64.b64decode(found['data']))
