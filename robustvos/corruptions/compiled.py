"""The innermost loops of the corruptions for a CPU, compiled by Numba: one pass over memory instead of one per operation.

Each does what the torch code beside its call does on an accelerator, with the same roundings in the same order: the
pixels are equal to the last bit. Frames are ``(3, N)`` uint8, contiguous, row after row; fields, tables and maps are
float32 or int16. Nothing is checked: an index out of range is the caller's fault.

All of them take some seconds to compile, once: the result is kept beside this file, or in ``$NUMBA_CACHE_DIR``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
import numpy as np
import torch
from torch import Tensor

OPERATIONS = ("brightness", "contrast", "saturation", "hue")
_CONTRAST, _SATURATION, _HUE = (OPERATIONS.index(name) for name in OPERATIONS[1:])
LUMA = (0.299, 0.587, 0.114)
_BLOCK = 2048
"""Pixels that are taken through several loops at a time, few enough for the fastest memory."""
_ZERO, _ONE, _THREE, _WHITE = (np.float32(value) for value in (0.0, 1.0, 3.0, 255.0))
_RED, _GREEN, _BLUE = (np.float32(share) for share in LUMA)
_THINNEST = np.float32(1e-3)
Array = np.ndarray
_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def serves(device: torch.device | str) -> bool:
    """Whether these loops are what corrupts frames on a device."""
    return torch.device(device).type == "cpu"


def planes(frame: Tensor) -> np.ndarray:
    """A ``(3, H, W)`` frame to read, as ``(3, H * W)``; a copy if it is not contiguous."""
    return np.ascontiguousarray(frame.numpy()).reshape(3, -1)


def target(out: Tensor) -> np.ndarray:
    """The memory of a contiguous ``(3, H, W)`` frame to write to, as ``(3, H * W)``.

    Raises:
        RuntimeError: If the frame is not contiguous.
    """
    return out.view(3, -1).numpy()


def _compile(function: _Loop) -> _Loop:
    """Compiled when first called, and kept where it can be: beside this file, or in the user's cache."""
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither place can be written to
        return cast(_Loop, numba.njit(nogil=True, error_model="numpy")(function))
    cache: Any = getattr(compiled, "_cache", None)
    if hasattr(cache, "save_overload"):
        cache.save_overload = _save_if_possible(cache)
    return cast(_Loop, compiled)


def _save_if_possible(cache: Any) -> Callable[[Any, Any], None]:
    """How ``cache`` saves, but a full disk loses what was compiled instead of ending the run."""
    save = cache.save_overload

    def save_overload(signature: Any, result: Any) -> None:
        try:
            save(signature, result)
        except OSError:
            # The index, written first, now promises code that is not there, or is that of an older version.
            with suppress(OSError, AttributeError):
                os.unlink(cache._cache_file._index_path)

    return save_overload


@_compile
def _stored(value: np.float32) -> np.uint8:
    """Clamped and rounded half to even."""
    value = _ZERO if value < _ZERO else (_WHITE if value > _WHITE else value)
    return np.uint8(np.int32(np.rint(value)))


@_compile
def add_fields(frame: Array, first: Array, second: Array, places: Array, share: np.float32, out: Array) -> None:
    """Add to each plane ``share`` times two fields, from the ``places`` ``(2, 3)`` on."""
    count = frame.shape[1]
    for plane in range(3):
        done = 0
        while done < count:
            here, there = (places[0, plane] + done) % first.size, (places[1, plane] + done) % second.size
            size = min(count - done, first.size - here, second.size - there)
            before, after = frame[plane, done : done + size], out[plane, done : done + size]
            one, other = first[here : here + size], second[there : there + size]
            for i in range(size):
                after[i] = _stored(np.float32(before[i]) + one[i] * share + other[i] * share)
            done += size


@_compile
def combined(first: Array, second: Array, places: Array, start: int, levels: Array) -> None:
    """Fill ``levels`` with the exclusive-or of two fields: the values of pixels ``start, start + 1, ...``."""
    done = 0
    while done < levels.size:
        here, there = (places[0] + start + done) % first.size, (places[1] + start + done) % second.size
        size = min(levels.size - done, first.size - here, second.size - there)
        one, other, into = first[here : here + size], second[there : there + size], levels[done : done + size]
        for i in range(size):
            into[i] = one[i] ^ other[i]
        done += size


@_compile
def whiten(frame: Array, first: Array, second: Array, places: Array, below: int, out: Array) -> None:
    """Turn those pixels white whose level is ``below`` a threshold."""
    count = frame.shape[1]
    block = np.empty(_BLOCK, np.int16)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        levels = block[:size]
        combined(first, second, places, start, levels)
        for plane in range(3):
            before, after = frame[plane, start : start + size], out[plane, start : start + size]
            for i in range(size):
                after[i] = np.uint8(255) if levels[i] < below else before[i]


@_compile
def grain(frame: Array, first: Array, second: Array, light: Array, hue: Array, tables: Array, out: Array) -> None:
    """Turn each pixel's colour about the grey axis, then move it towards white.

    Args:
        frame: What to change.
        first: Field of levels.
        second: Likewise.
        light: ``(2,)``, where the whitening starts in the fields.
        hue: ``(2,)``, where the turn starts.
        tables: ``(3, LEVELS)`` by level: fraction of white; cosine, and sine over the root of 3, of the turn.
        out: Where the result goes.
    """
    count = frame.shape[1]
    block = np.empty(_BLOCK, np.int16)
    looked_up = np.empty((3, _BLOCK), np.float32)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        levels = block[:size]
        white, cosine, sine = looked_up[0, :size], looked_up[1, :size], looked_up[2, :size]
        combined(first, second, light, start, levels)
        for i in range(size):
            white[i] = tables[0, np.uint64(levels[i])]
        combined(first, second, hue, start, levels)
        for i in range(size):
            cosine[i] = tables[1, np.uint64(levels[i])]
            sine[i] = tables[2, np.uint64(levels[i])]
        _turn_and_whiten(frame[:, start : start + size], white, cosine, sine, out[:, start : start + size])


@_compile
def _turn_and_whiten(frame: Array, white: Array, cosine: Array, sine: Array, out: Array) -> None:
    red, green, blue = frame[0], frame[1], frame[2]
    new_red, new_green, new_blue = out[0], out[1], out[2]
    for i in range(white.size):
        r, g, b = np.float32(red[i]), np.float32(green[i]), np.float32(blue[i])
        mean = ((r + g) + b) / _THREE
        kept, added = _ONE - white[i], white[i] * _WHITE
        turned = (r - mean) * cosine[i] + mean + (b - g) * sine[i]
        new_red[i] = _stored(min(max(turned, _ZERO), _WHITE) * kept + added)
        turned = (g - mean) * cosine[i] + mean + (r - b) * sine[i]
        new_green[i] = _stored(min(max(turned, _ZERO), _WHITE) * kept + added)
        turned = (b - mean) * cosine[i] + mean + (g - r) * sine[i]
        new_blue[i] = _stored(min(max(turned, _ZERO), _WHITE) * kept + added)


@_compile
def jitter(frame: Array, operations: Array, factors: Array, anchors: Array, turn: Array, out: Array) -> None:
    """Change the colours of a frame by a few operations, in order.

    Args:
        frame: What to change.
        operations: ``(n,)``, positions in :data:`OPERATIONS`.
        factors: ``(n,)`` float32, what each multiplies by; hue's counts for nothing.
        anchors: ``(n,)`` float32: for contrast the grey that is added, for saturation the share of a pixel's own.
        turn: ``(2,)``, of hue: in thirds of the circle, and the rest in 1/128 of a sixth.
        out: Where the result goes.
    """
    count = frame.shape[1]
    blocks, spare = np.empty((3, _BLOCK), np.float32), np.empty((3, _BLOCK), np.float32)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        pixels = _adjusted(frame[:, start : start + size], operations, factors, anchors, turn, blocks, spare)
        for plane in range(3):
            before, after = pixels[plane, :size], out[plane, start : start + size]
            for i in range(size):
                after[i] = _stored(before[i])


@_compile
def sum_of_grey(
    frame: Array, operations: Array, factors: Array, anchors: Array, turn: Array
) -> int | np.signedinteger[Any]:
    """The sum over a frame, changed as by :func:`jitter`, of its grey levels without their fractions."""
    total: int | np.signedinteger[Any]
    count, total = frame.shape[1], 0
    blocks, spare = np.empty((3, _BLOCK), np.float32), np.empty((3, _BLOCK), np.float32)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        pixels = _adjusted(frame[:, start : start + size], operations, factors, anchors, turn, blocks, spare)
        red, green, blue = pixels[0, :size], pixels[1, :size], pixels[2, :size]
        _clamp(pixels, size)
        for i in range(size):
            total += np.int32(red[i] * _RED + green[i] * _GREEN + blue[i] * _BLUE)
    return total


@_compile
def _adjusted(
    frame: Array, operations: Array, factors: Array, anchors: Array, turn: Array, blocks: Array, spare: Array
) -> Array:
    """``(3, _BLOCK)`` float32, one of the two blocks: up to ``_BLOCK`` pixels of a frame after the operations."""
    size = frame.shape[1]
    for plane in range(3):
        before, after = frame[plane], blocks[plane]
        for i in range(size):
            after[i] = np.float32(before[i])
    for k in range(operations.size):
        if operations[k] == _HUE:
            _turn_hue(blocks, size, turn[0], turn[1], spare)
            blocks, spare = spare, blocks
            continue
        red, green, blue = blocks[0, :size], blocks[1, :size], blocks[2, :size]
        factor, anchor = factors[k], anchors[k]
        if operations[k] == _SATURATION:
            for i in range(size):
                grey = (red[i] * _RED + green[i] * _GREEN + blue[i] * _BLUE) * anchor
                red[i] = red[i] * factor + grey
                green[i] = green[i] * factor + grey
                blue[i] = blue[i] * factor + grey
        else:
            added = anchor if operations[k] == _CONTRAST else _ZERO
            for plane in range(3):
                pixels = blocks[plane, :size]
                for i in range(size):
                    pixels[i] = pixels[i] * factor + added
        if factor > _ONE and k + 1 < operations.size:
            _clamp(blocks, size)
    return blocks


@_compile
def _clamp(blocks: Array, size: int) -> None:
    for plane in range(3):
        pixels = blocks[plane, :size]
        for i in range(size):
            pixels[i] = min(max(pixels[i], _ZERO), _WHITE)


@_compile
def _turn_hue(blocks: Array, size: int, thirds: int, rest: int, out: Array) -> None:
    # See colour.turn_hue. A turn backwards is one forwards with green and blue exchanged.
    r: Any  # min() and max() of numbers of NumPy have no types
    g: Any
    b: Any
    one, two = (1, 2) if rest > 0 else (2, 1)
    red, green, blue = blocks[0, :size], blocks[one, :size], blocks[two, :size]
    new_red = out[thirds % 3, :size]
    new_green, new_blue = out[(thirds + one) % 3, :size], out[(thirds + two) % 3, :size]
    flat, slope = np.int32(128 - abs(rest)), np.int32(2 * abs(rest) - 128)
    for i in range(size):
        r, g, b = np.int32(np.rint(red[i])), np.int32(np.rint(green[i])), np.int32(np.rint(blue[i]))
        low = min(min(r, g), b)
        chroma = max(max(r, g), b) - low
        plateau = chroma * flat + np.int32(64)
        r, g, b = r - low, g - low, b - low
        new_red[i] = np.float32(min(max(((plateau + b * slope) >> 7) + r - g, 0), chroma) + low)
        new_green[i] = np.float32(min(max(((plateau + r * slope) >> 7) + g - b, 0), chroma) + low)
        new_blue[i] = np.float32(min(max(((plateau + g * slope) >> 7) + b - r, 0), chroma) + low)


@_compile
def line_mean(frame: Array, height: int, taps: Array, out: Array) -> None:
    """Weighted mean of shifted copies with edges repeated; ``taps``: ``(n, 3)`` of ``(dy, dx, weight)``, in 128ths."""
    width = frame.shape[1] // height
    total = np.empty(width, np.uint16)
    for plane in range(3):
        for row in range(height):
            total[:] = np.uint16(64)  # rounds the shift
            for k in range(taps.shape[0]):
                dy, dx, weight = taps[k]
                start = min(max(row + dy, 0), height - 1) * width
                source, weight = frame[plane, start : start + width], np.uint16(weight)
                begin = min(max(-dx, 0), width)
                end = max(min(width - dx, width), begin)
                for i in range(begin):
                    total[i] += np.uint16(source[0]) * weight
                inside, shifted = total[begin:end], source[begin + dx : end + dx]
                for i in range(inside.size):
                    inside[i] = np.uint16(inside[i] + np.uint16(shifted[i]) * weight)
                for i in range(end, width):
                    total[i] += np.uint16(source[width - 1]) * weight
            after = out[plane, row * width : row * width + width]
            for i in range(width):
                after[i] = np.uint8(total[i] >> np.uint16(7))


@_compile
def veil(frame: Array, alpha: Array, light: Array, edges: Array, weights: Array, out: Array) -> None:
    """Blend a frame with a smooth surface, ``frame * (1 - alpha) + light``.

    Args:
        frame: What to change.
        alpha: ``(H, cells)`` float32, the lattice's columns, evaluated at each row of the frame.
        light: Likewise.
        edges: Where each cell begins along a row, and the end of the row.
        weights: ``(4, W)`` float32: the share at each column of its cell's lattice point and of the next three.
        out: Where the result goes.
    """
    width = weights.shape[1]
    clear_row, light_row = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(alpha.shape[0]):
        for cell in range(edges.size - 1):
            begin, end = edges[cell], edges[cell + 1]
            shares = weights[:, begin:end]
            clear, added = clear_row[begin:end], light_row[begin:end]
            a, b, c, d = alpha[row, cell], alpha[row, cell + 1], alpha[row, cell + 2], alpha[row, cell + 3]
            e, f, g, h = light[row, cell], light[row, cell + 1], light[row, cell + 2], light[row, cell + 3]
            for i in range(end - begin):
                clear[i] = _ONE - (a * shares[0, i] + b * shares[1, i] + c * shares[2, i] + d * shares[3, i])
                added[i] = e * shares[0, i] + f * shares[1, i] + g * shares[2, i] + h * shares[3, i]
        for plane in range(3):
            start = row * width
            before, after = frame[plane, start : start + width], out[plane, start : start + width]
            for i in range(width):
                after[i] = _stored(np.float32(before[i]) * clear_row[i] + light_row[i])


@_compile
def stamp(particles: Array, opaque: int, canvas: Array) -> None:
    """Draw capsules on an ``(H, W)`` int16 canvas; where they overlap, opacities add up, to at most ``opaque``.

    ``particles`` is ``(7, n)`` float32: y, x, half length, slope, taper, radius, opacity.
    """
    height, width = canvas.shape
    for k in range(particles.shape[1]):
        y, x, half, slope = particles[0, k], particles[1, k], particles[2, k], particles[3, k]
        taper, radius, opacity = particles[4, k], particles[5, k], particles[6, k]
        middle, reach = int(np.rint(y)), int(np.ceil(half + radius))
        columns = int(radius + radius) + 1
        fall_off = opacity / (radius * radius)
        for row in range(max(middle - reach, 0), min(middle + reach + 1, height)):
            down = np.float32(row) - y
            along = min(max(down, -half), half)
            line = along * slope + x
            beyond, share = down - along, along / max(half, _THINNEST)
            level = (opacity - beyond * beyond * fall_off) * (_ONE - share * share * taper)
            first = np.ceil(line - radius)
            left = int(first)
            for column in range(max(left, 0), min(left + columns, width)):
                across = (first - line) + np.float32(column - left)
                value = across * across * -fall_off + level
                if value > _ZERO:
                    canvas[row, column] = min(canvas[row, column] + int(np.rint(value)), opaque)


@_compile
def cover(
    frame: Array, opacity: Array, colour: int | np.int32, shadow: int | np.int32, kept_light: int | np.int32, out: Array
) -> None:
    """Darken the pixels below a lightness, then blend them towards a grey level.

    Args:
        frame: What to change.
        opacity: ``(N,)`` int16, in 128ths.
        colour: The grey level.
        shadow: Pixels are dark whose largest and smallest channel sum up to less.
        kept_light: What dark pixels keep, in 128ths.
        out: Where the result goes.
    """
    red, green, blue = frame[0], frame[1], frame[2]
    new_red, new_green, new_blue = out[0], out[1], out[2]
    colour, shadow, kept_light = np.int32(colour), np.int32(shadow), np.int32(kept_light)
    for i in range(opacity.size):
        r, g, b = np.int32(red[i]), np.int32(green[i]), np.int32(blue[i])
        dark = min(min(r, g), b) + max(max(r, g), b) < shadow
        scene = kept_light if dark else np.int32(128)
        covered = np.int32(opacity[i])
        clear, light = np.int32(128) - covered, covered * colour + np.int32(64)
        new_red[i] = np.uint8((((r * scene + np.int32(64)) >> 7) * clear + light) >> 7)
        new_green[i] = np.uint8((((g * scene + np.int32(64)) >> 7) * clear + light) >> 7)
        new_blue[i] = np.uint8((((b * scene + np.int32(64)) >> 7) * clear + light) >> 7)
