"""Signed distance functions from which the sample fruits are built.

A shape maps points, float32 (3, n), in an object space whose z axis points up and whose unit is about half a
fruit, to float32 (n,): negative inside, positive outside, and never far above the true distance, so that a
ray which advances by it does not jump through the surface.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Shape = Callable[[Array], Array]
Modulation = Callable[[Array, Array], Array]
Outline = Sequence[tuple[float, float]]

_TABLE = 1024


def as_float32(values: npt.ArrayLike) -> Array:
    """The values as a float32 array, without a copy where they are one already."""
    return np.asarray(values, dtype=np.float32)


def length(*components: Array) -> Array:
    """Euclidean length (n,) of vectors given by component; several times as fast as np.hypot on float32."""
    total = components[0] * components[0]
    for component in components[1:]:
        total = total + component * component
    return as_float32(np.sqrt(total))


def azimuth(p: Array) -> Array:
    """Angle around the z axis of points (3, n): float32 (n,), radians, -pi to pi."""
    return as_float32(np.arctan2(p[1], p[0]))


def polar(p: Array) -> Array:
    """Angle from the upward z axis of points (3, n): float32 (n,), radians, 0 (top) to pi (bottom)."""
    return as_float32(np.arctan2(length(p[0], p[1]), p[2]))


def _radius_table(outline: Outline) -> Array:
    """Radius over the polar angle, float32 (1024,): a cubic Hermite curve through (radius, height) points."""
    rho, z = np.array(outline, dtype=np.float64).T
    knots, radii = np.arctan2(rho, z), np.hypot(rho, z)
    # Mirrored at both poles, the outline crosses the axis at a right angle and no pole grows a spike.
    t = np.concatenate([-knots[1:2], knots, 2 * np.pi - knots[-2:-1]])
    r = np.concatenate([radii[1:2], radii, radii[-2:-1]])
    gaps, chords = np.diff(t), np.diff(r) / np.diff(t)
    slopes = (gaps[1:] * chords[:-1] + gaps[:-1] * chords[1:]) / (gaps[1:] + gaps[:-1])
    angles = np.linspace(0, np.pi, _TABLE)
    i = np.clip(np.searchsorted(knots, angles, side="right") - 1, 0, len(knots) - 2)
    width = knots[i + 1] - knots[i]
    s = (angles - knots[i]) / width
    value = radii[i] * (1 + 2 * s) * (1 - s) ** 2 + radii[i + 1] * s**2 * (3 - 2 * s)
    value += width * (slopes[i] * s * (1 - s) ** 2 - slopes[i + 1] * s**2 * (1 - s))
    # A jump in curvature shows as a band in the gloss, so the curve is blurred over about three degrees.
    kernel = np.hanning(49)
    smooth = np.convolve(np.pad(value, 24, mode="reflect"), kernel / kernel.sum(), mode="valid")
    return as_float32(smooth)


def revolved(
    outline: Outline, modulation: Modulation | None = None, lopsided: float = 0.03, safety: float = 1.0
) -> Shape:
    """A body of revolution, as nature turns it: slightly lopsided, with ribs or grooves on request.

    `outline` lists (radius, height) from the top pole to the bottom pole, each point further around the
    origin than the one before. `modulation` maps azimuth and polar angle, (n,) each, to a factor (n,) on the
    radius; where it is steep, `safety` below 1 shortens the steps.
    """
    table = _radius_table(outline)
    rises = np.diff(table)
    steepest = float(np.abs(np.gradient(table, np.pi / (_TABLE - 1)) / table).max())
    slack = np.float32(safety / np.hypot(1.0, steepest))

    def shape(p: Array) -> Array:
        rho = length(p[0], p[1])
        r = length(rho, p[2])
        phi = np.arctan2(rho, p[2])
        position = phi * np.float32((_TABLE - 1) / np.pi)
        index = np.clip(position.astype(np.int32), 0, _TABLE - 2)
        surface = table.take(index)
        surface += rises.take(index) * (position - index.astype(np.float32))
        tiny = np.float32(1e-6)
        surface *= 1 + lopsided * p[0] * (0.7 * r + 1.4 * p[1]) / (r * r + tiny)
        if modulation is not None:
            surface *= modulation(azimuth(p), phi)
        return as_float32((r - surface) * slack)

    return shape


def ribs(count: int, depth: float, top: float = 1.0, bottom: float = 1.0, phase: float = 0.0) -> Modulation:
    """Uneven lobes around the axis, `depth` deep, and `top` and `bottom` times as deep towards the poles."""

    def factor(theta: Array, phi: Array) -> Array:
        weight = bottom + (top - bottom) * (1 + np.cos(phi)) / 2
        lobe = np.cos(count * (theta + phase + 0.175 * np.sin(theta + phase)))
        return as_float32(1 + depth * weight * np.sin(phi) * lobe)

    return factor


def tube(points: Sequence[tuple[float, float, float]], radii: Sequence[float]) -> Shape:
    """A chain of round-ended segments through `points`, each with its own radius: a stalk."""

    def shape(p: Array) -> Array:
        distance = np.full(p.shape[1], np.inf, dtype=np.float32)
        for k in range(len(points) - 1):
            start = np.array(points[k], dtype=np.float32)[:, None]
            along = np.array(points[k + 1], dtype=np.float32)[:, None] - start
            q = p - start
            h = np.clip((q * along).sum(axis=0) / np.float32((along * along).sum()), 0, 1)
            away = q - along * h
            np.minimum(distance, length(*away) - (radii[k] + (radii[k + 1] - radii[k]) * h), out=distance)
        return distance * np.float32(0.9)

    return shape


def rosette(
    count: int,
    size: float,
    width: float,
    base: float,
    rise: float,
    droop: float = 0.0,
    thickness: float = 0.02,
    seed: int = 0,
) -> Shape:
    """Pointed leaves around the z axis: a calyx, or one tier of a crown.

    The leaves start at height `base`, climb `rise` degrees and bend down by `droop` (height lost per `size`).
    `seed` draws their lengths and twists, so that no two leaves are equal.
    """
    rng = np.random.default_rng(seed)
    lengths = (size * rng.uniform(0.82, 1.1, count)).astype(np.float32)
    # A twist is a share of the leaf's sector, since only the part inside the sector is drawn.
    twists = (rng.uniform(-0.5, 0.5, count) * np.pi / count).astype(np.float32)
    turn = float(rng.uniform(0, 1))
    climb, reach = np.float32(np.sin(np.radians(rise))), np.float32(np.cos(np.radians(rise)))

    def shape(p: Array) -> Array:
        sector = azimuth(p) * np.float32(count / (2 * np.pi)) + np.float32(turn)
        nearest = np.rint(sector)
        leaf = nearest.astype(np.int32) % count
        angle = (sector - nearest) * np.float32(2 * np.pi / count)
        rho = length(p[0], p[1])
        out, up = rho * np.cos(angle), p[2] - np.float32(base)
        u = (reach * out + climb * up) / lengths.take(leaf)
        # Bends are those of the leaf only: carried on beyond it they would outrun the distance.
        bend = np.clip(u, 0, 1.1) ** 2
        side = rho * np.sin(angle - twists.take(leaf) * bend)
        cup = np.minimum(np.abs(side), np.float32(width)) ** 2 * np.float32(0.8 / width)
        height = reach * up - climb * out + np.float32(droop * size) * bend - cup
        # Widest at a third of its length, and negative beyond both ends, where there is no leaf.
        half = np.float32(width * 2.2) * (u + 0.12) * (1 - u) * (1.15 - 0.75 * np.clip(u, 0, 1))
        half = np.where(
            (u < -0.12) | (u > 1), -np.maximum(np.abs(u - 0.44) - 0.56, 0) * np.float32(size), half
        )
        return as_float32(np.maximum(np.abs(side) - half, np.abs(height) - np.float32(thickness)) * 0.5)

    return shape


def crescent(widths: Outline, radius: float, ridges: int, sharpness: float) -> Shape:
    """A rod bent in the horizontal plane around a circle of `radius`, with ridges along it: a banana.

    `widths` lists (degrees along the bend, half width) from one end to the other.
    """
    degrees, halves = np.array(widths, dtype=np.float64).T
    table = np.interp(np.linspace(degrees[0], degrees[-1], _TABLE), degrees, halves).astype(np.float32)
    first, last = np.radians(degrees[[0, -1]]).astype(np.float32)

    def shape(p: Array) -> Array:
        centred = p[1] + np.float32(radius)
        along = np.arctan2(p[0], centred)
        across = length(p[0], centred) - np.float32(radius)
        half = table.take(((along - first) * ((_TABLE - 1) / (last - first))).astype(np.int32), mode="clip")
        ridge = 1 + np.float32(sharpness) * np.cos(ridges * np.arctan2(p[2], across))
        beyond = np.maximum(first - along, along - last) * np.float32(radius)
        return as_float32(np.maximum(length(across, p[2]) - half * ridge, beyond) * 0.7)

    return shape


def cut(shape: Shape, axis: int = 2) -> Shape:
    """The half of a shape below 0 on one axis (0 is x, 2 is z): a fruit cut open."""
    return lambda p: np.maximum(shape(p), p[axis])


def hollowed(shape: Shape, hole: Shape) -> Shape:
    """A shape without the part that lies in `hole`."""
    return lambda p: np.maximum(shape(p), -hole(p))


def moved(shape: Shape, offset: tuple[float, float, float], scale: float = 1.0) -> Shape:
    """A shape made `scale` times as large and moved by `offset`."""
    shift = np.array(offset, dtype=np.float32)[:, None]
    return lambda p: shape((p - shift) / np.float32(scale)) * np.float32(scale)


def shell(body: Shape, thickness: float, limit: Modulation) -> Shape:
    """A skin on a body down to the polar angle that `limit` gives for azimuth and polar angle, in radians."""

    def shape(p: Array) -> Array:
        phi = polar(p)
        beyond = (phi - limit(azimuth(p), phi)) * length(*p)
        return as_float32(np.maximum(body(p) - np.float32(thickness), beyond * 0.5))

    return shape
