"""The few marks our charts are made of, as SVG text. Colours are CSS variables, so that a page sets them per theme."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

# Slot 0 is for the reference: a quiet grey. The fallbacks serve an SVG that stands outside the page.
SLOTS = ("#7b8490", "#2f6fdb", "#df7322", "#14967f", "#c04299", "#7857cf", "#8a8717", "#cf3a40", "#3a9bbf")


@dataclass(frozen=True)
class Axis:
    """A linear map from data to pixels: ``low`` falls on ``start``, ``high`` on ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixel of a value; the middle if the axis has no extent."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def colour(slot: int) -> str:
    """CSS colour of a slot; slots beyond the last start again after the reference's grey."""
    index = slot if slot < len(SLOTS) else 1 + (slot - 1) % (len(SLOTS) - 1)
    return f"var(--s{index}, {SLOTS[index]})"


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that cover [low, high]; the first is at most ``low``, the last at least ``high``.

    >>> nice_ticks(0.0, 83.0)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if not high > low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    raw = (high - low) / wanted
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def short(value: float) -> str:
    """A tick's text: thousands as ``k``, tiny numbers in scientific notation.

    >>> short(20000.0), short(0.25), short(5e-06), short(0.0)
    ('20k', '0.25', '5e-6', '0')
    """
    if value == 0:
        return "0"
    if abs(value) >= 10000:
        return f"{value / 1000:g}k"
    if abs(value) < 1e-3:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.6g}"


def text(x: float, y: float, content: str, anchor: str = "middle", extra: str = "") -> str:
    """A label; ``content`` is escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A straight line of CSS class ``css``."""
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def document(width: float, height: float, parts: list[str], description: str) -> str:
    """The whole drawing; it scales with its container and tells screen readers what it shows.

    ``--natural`` is the width at which its text has the size it was made for.
    """
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" style="--natural:{width:.0f}px"'
    return f'<svg {size} role="img" aria-label="{escape(description)}">{"".join(parts)}</svg>'
