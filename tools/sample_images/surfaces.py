"""Surfaces of revolution as dense clouds of points, and pictures of them on a turntable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import binary_closing, map_coordinates, maximum_filter
from scipy.spatial.transform import Rotation

Array = NDArray[Any]
Colour = Sequence[float]
Paint = Callable[[Array, Array, Array], Array]

_ALONG, _AROUND = 320, 640
# Each pixel is the mean of so many by so many.
_OVERSAMPLING = 2
_MARGIN = 0.04
_LIGHT = np.array([-0.448, -0.647, 0.617], np.float32)
_EYE = np.array([0, -1, 0], np.float32)
_NOISE = np.random.default_rng(0).random((32, 32, 32), np.float32)


@dataclass(frozen=True)
class Surface:
    """A surface of revolution.

    Attributes:
        outline: Its radius and height at some points, from the top to the bottom.
        colour: sRGB, 0 to 255, of points (n, 3), their angles (n,) and their shares of the way down (n,).
        ribs: What the radius is multiplied with at some angles (n,), for a surface that is not round.
        bend: Radius of a circle along which it is bent; below 0, to the other side.
        shine: How bright a highlight is, 0 to 1.
        detail: How densely it is sampled; 1 for one that fills the picture.
        solid: It has an inside, which is not seen.
    """

    outline: Sequence[tuple[float, float]]
    colour: Paint
    ribs: Callable[[Array], Array] = np.ones_like
    bend: float = 1e6
    shine: float = 0.5
    detail: float = 1
    solid: bool = True

    def sample(self) -> tuple[Array, Array, Array]:
        """Return points, unit normals to the outside, and colours: each (n, 3)."""
        way = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(np.array(self.outline), axis=0).T))])
        angle, share = np.meshgrid(
            np.linspace(0, 2 * np.pi, int(_AROUND * self.detail), endpoint=False, dtype=np.float32),
            np.linspace(0, 1, int(_ALONG * self.detail), dtype=np.float32),
        )
        radius, height = np.moveaxis(PchipInterpolator(way / way[-1], self.outline)(share), -1, 0)
        # Nothing that has grown is quite round.
        radius = radius * self.ribs(angle) * (1 + 0.03 * np.sin(angle + 1) + 0.02 * np.sin(2 * angle))
        x, y, away = radius * np.cos(angle), radius * np.sin(angle), height / self.bend
        straight = np.stack([x, y, height], -1, dtype=np.float32).reshape(-1, 3)
        colours = self.colour(straight, angle.ravel(), share.ravel())
        x, height = (self.bend + x) * np.cos(away) - self.bend, (self.bend + x) * np.sin(away)
        points = np.stack([x, y, height], -1, dtype=np.float32)
        around = np.roll(points, -1, 1) - np.roll(points, 1, 1)
        normals = np.cross(np.gradient(points, axis=0), around)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
        return points.reshape(-1, 3), normals.reshape(-1, 3), colours


class Fruit:
    """Surfaces that are pictured together, their points computed once.

    Args:
        surfaces: The surfaces.
        elevation: Degrees from which one looks down on the turntable.
        lean: Degrees by which the fruit lies on its side.
    """

    def __init__(self, *surfaces: Surface, elevation: float = 18, lean: float = 10) -> None:
        parts = [surface.sample() for surface in surfaces]
        self._points, self._normals, self._colours = (
            np.concatenate(part).astype(np.float32) for part in zip(*parts, strict=True)
        )
        sizes = [len(part[0]) for part in parts]
        self._shine = np.repeat([surface.shine for surface in surfaces], sizes).astype(np.float32)
        self._solid = np.repeat([surface.solid for surface in surfaces], sizes)
        self._elevation, self._lean = elevation, lean

    def picture(self, angle: float, size: int) -> NDArray[np.uint8]:
        """Return sRGB pixels on white, (size, size, 3), which the fruit fills, turned by `angle` degrees."""
        angles = [self._lean, angle, self._elevation]
        turn = Rotation.from_euler("xzx", angles, degrees=True).as_matrix().T.astype(np.float32)
        facing = np.flatnonzero((_times(self._normals, turn @ _EYE) > -0.05) | ~self._solid)
        x, depth, z = _times(self._points[facing], turn).T
        side = size * _OVERSAMPLING
        scale = side * (1 - 2 * _MARGIN) / max(np.ptp(x), np.ptp(z))
        columns = ((x - (x.min() + x.max()) / 2) * scale + side / 2).astype(int)
        rows = (((z.min() + z.max()) / 2 - z) * scale + side / 2).astype(int)
        # The nearest point is written last.
        order = np.argsort((depth * -8000).astype(np.int16), kind="stable")
        nearest = np.full((side, side), -1)
        nearest[rows[order], columns[order]] = facing[order]
        # No point has come to some pixels between others.
        holes = binary_closing(nearest >= 0) & (nearest < 0)
        nearest[holes] = maximum_filter(nearest, 3)[holes]
        seen = nearest >= 0
        near = nearest[seen]
        pixels = np.full((side, side, 3), 255, np.float32)
        pixels[seen] = _shade(_times(self._normals[near], turn), self._colours[near], self._shine[near])
        means = pixels.reshape(size, _OVERSAMPLING, size, _OVERSAMPLING, 3).mean(axis=(1, 3))
        return means.clip(0, 255).round().astype(np.uint8)


def _shade(normals: Array, colours: Array, shine: Array) -> Array:
    """Return colours in the light of one lamp (Blinn and Phong) and of a white room."""
    towards = normals * np.where(normals[:, 1] > 0, -1, 1)[:, None]
    half = (_LIGHT + _EYE) / np.linalg.norm(_LIGHT + _EYE)
    diffuse = 0.68 + 0.46 * np.maximum(_times(towards, _LIGHT), 0) - 0.16 * np.maximum(-towards[:, 2], 0)
    edge = 1 - 0.25 * (1 + towards[:, 1]) ** 3
    highlight = shine * np.maximum(_times(towards, half), 0) ** 45
    return colours * (diffuse * edge)[:, None] + 200 * highlight[:, None]


def _times(rows: Array, other: Array) -> Array:
    """Return rows (n, 3) times a matrix or a vector. The threads of BLAS would cost more than they save."""
    return np.einsum("ni,i...->n...", rows, other)


def noise(points: Array, frequency: float, seed: int = 0) -> Array:
    """Return smooth noise from 0 to 1 at points (n, 3), as many waves a unit as `frequency`."""
    return map_coordinates(_NOISE, points.T * frequency + 7.3 * (seed + 1), order=1, mode="grid-wrap")


def cloudy(points: Array, frequency: float, seed: int = 0) -> Array:
    """Return noise with finer noise on it, 0 to 1."""
    return (2 * noise(points, frequency, seed) + noise(points, 2.7 * frequency, seed + 1)) / 3


def dots(points: Array, frequency: float, size: float) -> Array:
    """Return 1 in dots, one at a random place of most cells of a grid, and 0 between them."""
    cells = np.floor(points * frequency).astype(int)
    jitter = np.random.default_rng(0).random((64, 3), np.float32) * 0.5 + 0.25
    centres = cells + jitter[(cells @ [7, 31, 17]) % 64]
    return step(np.linalg.norm(points * frequency - centres, axis=1), size, size * 0.6)


def step(values: Array, low: float, high: float) -> Array:
    """Return 0 at `low`, 1 at `high`, and a smooth way between them."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def mix(one: Colour | Array, other: Colour | Array, share: Array) -> Array:
    """Return colours (n, 3) between two, each one for all or (n, 3), by a share (n,)."""
    weight = np.asarray(share, np.float32)[:, None]
    return np.asarray(one, np.float32) * (1 - weight) + np.asarray(other, np.float32) * weight
