"""Patterns on a fruit, computed from points in object space, so that they turn with the fruit."""

import numpy as np

from fruits_bigdata.sample_images.model import Paint
from fruits_bigdata.sample_images.shapes import Array, as_float32, azimuth, length

Colour = tuple[int, int, int] | Array

_SIDE = 32
_rng = np.random.default_rng(20_221_122)
_LATTICE = _rng.random(_SIDE**3, dtype=np.float32)
_JITTER = _rng.random((4, _SIDE**3), dtype=np.float32)


def mix(first: Colour, second: Colour, share: Array) -> Array:
    """Colours (3, n) between `first` (share 0) and `second` (share 1); `share`, float32 (n,), is clipped."""
    a, b = (
        c if isinstance(c, np.ndarray) else np.array(c, dtype=np.float32)[:, None] for c in (first, second)
    )
    return as_float32(a + (b - a) * np.clip(share, 0, 1))


def plain(colour: tuple[int, int, int], spread: float = 0.12, frequency: float = 9.0) -> Paint:
    """A paint of one colour whose brightness varies by plus or minus `spread`."""

    def paint(p: Array) -> Array:
        level = 1 + spread * (2 * noise(p, frequency) - 1)
        return as_float32(np.array(colour, dtype=np.float32)[:, None] * level)

    return paint


def step(value: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between, (n,); with `low` above `high` it falls instead."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return as_float32(t * t * (3 - 2 * t))


def noise(p: Array, frequency: float, seed: int = 0) -> Array:
    """Smooth noise (n,), 0 to 1, that varies over about 1 / frequency; seeds give unrelated patterns."""
    q = p * np.float32(frequency) + np.array([[7.3], [3.1], [5.7]], dtype=np.float32) * np.float32(seed + 1)
    floor = np.floor(q)
    f = q - floor
    f = f * f * (3 - 2 * f)
    low = floor.astype(np.int32)
    corners = [low % _SIDE, (low + 1) % _SIDE]

    def line(i: int, j: int) -> Array:
        row = (corners[i][0] * _SIDE + corners[j][1]) * _SIDE
        start = _LATTICE.take(row + corners[0][2])
        return as_float32(start + (_LATTICE.take(row + corners[1][2]) - start) * f[2])

    near = line(0, 0)
    near += (line(0, 1) - near) * f[1]
    far = line(1, 0)
    far += (line(1, 1) - far) * f[1]
    return as_float32(near + (far - near) * f[0])


def cloudy(p: Array, frequency: float, seed: int = 0) -> Array:
    """Noise of three scales, float32 (n,) in 0 to 1: bloom, blush, blotches."""
    return (
        4 * noise(p, frequency, seed)
        + 2 * noise(p, 2.1 * frequency, seed + 1)
        + noise(p, 4.3 * frequency, seed + 2)
    ) / np.float32(7)


def streaks(p: Array, frequency: float, stretch: float, seed: int = 0) -> Array:
    """Noise (n,), 0 to 1, drawn out along the meridians: `stretch` times as long as wide."""
    rho = length(p[0], p[1]) + np.float32(1e-6)
    return cloudy(np.stack([p[0] / rho, p[1] / rho, p[2] / np.float32(stretch)]), frequency, seed)


def dots(p: Array, per_unit: float, size: float, seed: int = 0) -> Array:
    """Scattered dots (n,): 1 in a dot's middle, 0 outside; `size`, below 0.5, is the largest radius."""
    q = p * np.float32(per_unit) + np.float32(2.37 * (seed + 1))
    floor = np.floor(q)
    x, y, z = floor.astype(np.int32) % _SIDE
    jitter = _JITTER.take((x * _SIDE + y) * _SIDE + z, axis=1)
    radius = np.float32(size) * (0.4 + 0.6 * jitter[3])
    away = q - floor - (radius + (1 - 2 * radius) * jitter[:3])
    return step(length(*away) / radius, 1.0, 0.3)


def diamonds(around: Array, along: Array, count: int) -> tuple[Array, Array]:
    """Position within a diamond grid that winds around a fruit, as seeds and pineapple eyes do.

    `around` is the azimuth in radians, `along` a coordinate in the same scale at right angles to it, `count`
    the diamonds on one turn. Returns (across, up), float32 (n,) each, -0.5 to 0.5 off a diamond's middle.
    """
    unit = np.float32(count / (2 * np.pi))
    s, t = (around + along) * unit, (around - along) * unit
    s, t = s - np.floor(s) - 0.5, t - np.floor(t) - 0.5
    return (s + t) / 2, (s - t) / 2


def mercator(phi: Array) -> Array:
    """The height (n,) at which a map of polar angle and azimuth keeps the proportions of small shapes."""
    return as_float32(np.log(np.tan(np.clip(np.pi - phi, 0.05, np.pi - 0.05) / 2)))


def cells(p: Array, count: int, seed: int = 0) -> tuple[Array, Array]:
    """Sectors of a cut fruit: the angle (n,) to the nearest wall, in radians, and their numbers (n,)."""
    wobble = np.float32(0.25) * (noise(p, 1.2, seed) - np.float32(0.5))
    sector = (azimuth(p) + wobble) * np.float32(count / (2 * np.pi))
    nearest = np.rint(sector)
    wall = (0.5 - np.abs(sector - nearest)) * (2 * np.pi / count)
    return as_float32(wall), as_float32(nearest % count)
