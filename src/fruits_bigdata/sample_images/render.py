"""A small ray marcher: one fruit on a turntable, in the soft light of a studio, before white."""

from functools import lru_cache

import numpy as np
from PIL import Image

from fruits_bigdata.sample_images.model import Fruit
from fruits_bigdata.sample_images.shapes import Array, Shape, as_float32, length

_OVERSAMPLING = 2
_VOXEL = 0.05
_REACH = 1.5
_MAX_STEPS = 100
_HIT = 0.004
_MARGIN = 1.02
# Directions in camera space: right, up, towards the viewer.
_KEY = np.array([-0.50, 0.62, 0.60], dtype=np.float32)
_FILL = np.array([0.75, 0.10, 0.65], dtype=np.float32)
_AMBIENT = 0.36


def _distance(fruit: Fruit, p: Array) -> Array:
    """Distance (n,) of points (3, n) from the nearest part."""
    distance = fruit.parts[0].shape(p)
    for part in fruit.parts[1:]:
        distance = np.minimum(distance, part.shape(p))
    return distance


def _slope(shape: Shape, p: Array, spacing: float) -> Array:
    """Gradient (3, n) of a shape at points (3, n), from four samples on a tetrahedron."""
    slope = np.zeros_like(p)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        k = np.array(corner, dtype=np.float32)[:, None]
        slope += k * shape(p + k * np.float32(spacing))
    return slope / np.float32(4 * spacing)


@lru_cache(maxsize=4)
def _surface_cloud(fruit: Fruit) -> tuple[Array, Array]:
    """Grid points (3, m) that enclose the surface, and the points (3, k) of the surface next to them."""
    axis = np.arange(-_REACH, _REACH + _VOXEL / 2, _VOXEL, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, -1)
    distance = _distance(fruit, grid)
    near = np.abs(distance) < 0.87 * _VOXEL
    cloud, distance = grid[:, near], distance[near]
    slope = _slope(lambda p: _distance(fruit, p), cloud, 0.01)
    surface = cloud - slope * (distance / np.maximum((slope * slope).sum(axis=0), np.float32(0.04)))
    return cloud, surface[:, np.abs(_distance(fruit, surface)) < 0.01]


def _rotate(p: Array, basis: Array) -> Array:
    """Basis (3, 3) times points (3, n), by einsum: a BLAS product may depend on the number of threads."""
    return as_float32(np.einsum("ij,jn->in", basis, p))


def _camera(fruit: Fruit, angle: float) -> Array:
    """Rows right, up, towards the viewer (3, 3) in the object space of a fruit turned by `angle` degrees."""
    turn, rise, lean = np.radians([angle % 360.0, fruit.elevation, fruit.lean])
    basis = np.array([[1, 0, 0], [0, np.sin(rise), np.cos(rise)], [0, -np.cos(rise), np.sin(rise)]])
    table = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    pose = np.array([[np.cos(lean), 0, -np.sin(lean)], [0, 1, 0], [np.sin(lean), 0, np.cos(lean)]])
    return as_float32(np.einsum("ij,jk,kl->il", basis, table, pose))


def _neighbourhood(grid: Array, pick: np.ufunc) -> Array:
    """Each cell of a grid (h, w) replaced by the least or greatest of its three by three surroundings."""
    rows = pick(pick(grid[:-2], grid[1:-1]), grid[2:])
    result: Array = pick(pick(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return result


def _rays(fruit: Fruit, basis: Array, pixels: int) -> tuple[Array, Array, np.ndarray]:
    """Rays that may meet the fruit: origins (3, n) in object space, lengths (n,), flat pixel numbers (n,)."""
    cloud, surface = _surface_cloud(fruit)
    outline, seen = _rotate(surface, basis)[:2], _rotate(cloud, basis)
    low, high = outline.min(axis=1), outline.max(axis=1)
    half = float((high - low).max()) / 2 * _MARGIN
    corner = (low + high) / 2 - np.float32(half)
    cells = int(2 * half / _VOXEL) + 4
    column, row = np.clip(
        ((seen[:2] - corner[:, None]) / np.float32(_VOXEL)).astype(np.int32) + 1, 0, cells - 1
    )
    nearest = np.full((cells, cells), -np.inf, dtype=np.float32)
    farthest = np.full((cells, cells), np.inf, dtype=np.float32)
    np.maximum.at(nearest, (row, column), seen[2] + np.float32(_VOXEL))
    np.minimum.at(farthest, (row, column), seen[2] - np.float32(_VOXEL))
    nearest, farthest = _neighbourhood(nearest, np.maximum), _neighbourhood(farthest, np.minimum)

    offset = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(2 * half / pixels)
    cell = (offset / np.float32(_VOXEL)).astype(np.int32)
    start = nearest[np.ix_(cell[::-1], cell)].ravel()
    end = farthest[np.ix_(cell[::-1], cell)].ravel()
    right, up = np.meshgrid(corner[0] + offset, (corner[1] + offset)[::-1])
    wanted = np.flatnonzero(np.isfinite(start))
    origin = np.stack([right.ravel()[wanted], up.ravel()[wanted], start[wanted]])
    return _rotate(origin, basis.T), start[wanted] - end[wanted], wanted


def _march(fruit: Fruit, origin: Array, depth: Array, direction: Array) -> tuple[Array, np.ndarray]:
    """Follow rays from origins (3, n): points (3, k) where they meet the fruit, and their numbers (k,)."""
    p, left, index = origin, depth, np.arange(depth.size)
    points, hits = [], []
    for _ in range(_MAX_STEPS):
        advance = _distance(fruit, p)
        left = left - advance
        near = advance < _HIT
        hit, alive = np.flatnonzero(near), np.flatnonzero(~near & (left > 0))
        points.append(p.take(hit, axis=1))
        hits.append(index[hit])
        p, left, index = p.take(alive, axis=1) + direction * advance[alive], left[alive], index[alive]
        if not index.size:
            break
    return np.concatenate(points, axis=1), np.concatenate(hits)


def _openness(fruit: Fruit, p: Array, towards: Array, reaches: tuple[float, ...]) -> Array:
    """How free the way from points (3, n) along directions (3, n) or (3, 1) is: 0 (blocked) to 1, (n,)."""
    free = np.ones(p.shape[1], dtype=np.float32)
    for reach in reaches:
        gap = _distance(fruit, p + towards * np.float32(reach)) / np.float32(reach)
        np.minimum(free, np.clip(0.25 + 1.5 * gap, 0, 1), out=free)
    return free


def _light(normal: Array, gloss: Array, open_sky: Array, lit: Array, colour: Array) -> Array:
    """Linear light (3, n) from a surface with linear `colour` (3, n); `normal` (3, n) is in camera space."""
    key, fill = ((v / np.linalg.norm(v))[:, None] for v in (_KEY, _FILL))
    # Light creeps around the terminator of soft flesh, hence the offset in both cosines.
    diffuse = np.clip(((normal * key).sum(axis=0) + 0.25) / 1.25, 0, None) * lit * 0.75
    diffuse += np.clip(((normal * fill).sum(axis=0) + 0.35) / 1.35, 0, None) * open_sky * 0.22
    diffuse += _AMBIENT * open_sky * (0.75 + 0.25 * normal[1])
    facing = np.clip(normal[2], 0, 1)
    mirrored = 2 * facing * normal - np.array([[0], [0], [1]], dtype=np.float32)
    mirror = np.zeros_like(facing)
    for lamp, strength, blocked in ((key, 0.75, lit), (fill, 0.22, open_sky)):
        # Lamps behind tall frosted panes: the highlight is upright, flat in its middle and soft at its edge.
        across, up = (mirrored[:2] - lamp[:2]) / (
            np.array([[0.14], [0.29]], dtype=np.float32) * (1.6 - 0.6 * gloss)
        )
        pane = across * across + up * up
        mirror += (
            strength * (gloss * gloss * np.exp(-pane * pane) + 0.09 * gloss * np.exp(-pane / 8)) * blocked
        )
    sheen = 0.22 * gloss * (1 - facing) ** 4 * open_sky
    return as_float32(colour * diffuse + mirror + sheen)


def render(fruit: Fruit, angle: float, size: int) -> np.ndarray:
    """Photograph a fruit turned by `angle` degrees: uint8 (size, size, 3), filling the frame, on white."""
    pixels = size * _OVERSAMPLING
    basis = _camera(fruit, angle)
    origin, depth, wanted = _rays(fruit, basis, pixels)
    p, rays = _march(fruit, origin, depth, -basis[2][:, None])

    owner = np.argmin(np.stack([part.shape(p) for part in fruit.parts]), axis=0)
    normal, colour, gloss = np.empty_like(p), np.empty_like(p), np.empty(p.shape[1], dtype=np.float32)
    for number, part in enumerate(fruit.parts):
        own = np.flatnonzero(owner == number)
        slope = _slope(part.surface, p[:, own], 0.008)
        normal[:, own] = slope / (length(*slope) + np.float32(1e-9))
        colour[:, own] = part.paint(p[:, own])
        gloss[own] = part.gloss
    key = _rotate(_KEY[:, None], basis.T)
    open_sky = _openness(fruit, p, normal, (0.06, 0.18))
    lit = _openness(fruit, p + normal * np.float32(0.03), key, (0.08, 0.2, 0.4))
    linear = (np.clip(colour, 0, 255) / np.float32(255)) ** np.float32(2.2)
    light = _light(_rotate(normal, basis), gloss, open_sky, lit, linear)

    canvas = np.full((pixels * pixels, 3), 255, dtype=np.uint8)
    canvas[wanted[rays]] = (np.clip(light, 0, 1) ** np.float32(1 / 2.2) * 255 + 0.5).astype(np.uint8).T
    image = Image.fromarray(canvas.reshape(pixels, pixels, 3))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))
