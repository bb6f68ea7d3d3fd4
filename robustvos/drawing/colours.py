"""Colours that tell objects, systems and runs apart."""

from __future__ import annotations

import colorsys

# DAVIS's hue order (red, green, yellow, blue, magenta, cyan), brighter than its palette so that a blend over a dark
# or foggy frame still shows, then hues that lie between.
_OBJECTS: tuple[tuple[int, int, int], ...] = (
    (235, 45, 55),
    (40, 190, 75),
    (250, 205, 30),
    (55, 110, 245),
    (225, 60, 220),
    (40, 205, 220),
    (250, 130, 30),
    (140, 85, 235),
    (165, 215, 50),
    (250, 140, 175),
)
_GOLDEN_RATIO = 0.618033988749895


def object_colour(object_id: int) -> tuple[int, int, int]:
    """RGB colour of an object, each channel 0 to 255; it depends on the id alone, so it is the same in every frame.

    >>> object_colour(1), object_colour(1) != object_colour(2)
    ((235, 45, 55), True)
    """
    index = object_id - 1
    if 0 <= index < len(_OBJECTS):
        return _OBJECTS[index]
    # Steps of the golden ratio around the hue circle never come back to a hue already used.
    red, green, blue = colorsys.hsv_to_rgb((object_id * _GOLDEN_RATIO) % 1.0, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)
