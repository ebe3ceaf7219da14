"""The fruits that are cut open, since it is their inside that people know."""

import numpy as np

from fruits_bigdata.sample_images import outlines
from fruits_bigdata.sample_images.model import Fruit, Part
from fruits_bigdata.sample_images.shapes import (
    Array,
    Shape,
    as_float32,
    azimuth,
    cut,
    hollowed,
    length,
    moved,
    revolved,
    ribs,
)
from fruits_bigdata.sample_images.textures import cells, cloudy, dots, mix, noise, step

_KIWI_BODY = revolved(outlines.KIWI, ribs(2, 0.05), 0.04)
_LIME_BODY = revolved(outlines.LIME, ribs(7, 0.008), 0.03)
_MELON_BODY = revolved(outlines.WATERMELON, ribs(2, 0.05), 0.03)
_AVOCADO_BODY = revolved(outlines.AVOCADO, None, 0.03)


def _face(p: Array, axis: int = 2) -> Array:
    """1 on the cut, 0 on the skin, (n,)."""
    return step(p[axis], -0.012, -0.006)


def _depth(body: Shape, p: Array) -> Array:
    """How far a point of the cut lies below the skin, (n,)."""
    return -body(p)


def _kiwi(p: Array) -> Array:
    rho, depth = length(p[0], p[1]), _depth(_KIWI_BODY, p)
    ray = noise(np.stack([p[0] / (rho + 0.01), p[1] / (rho + 0.01), 0 * rho]), 11, 1)
    flesh = mix((96, 158, 26), (150, 196, 56), step(ray + 0.25 * noise(p, 8), 0.3, 0.95))
    flesh = mix(flesh, (188, 214, 104), step(ray, 0.5, 0.85) * step(rho, 0.62, 0.34))
    flesh = mix(flesh, (92, 140, 28), step(depth, 0.10, 0.02) * 0.6)
    core = rho / (0.25 + 0.07 * ray)
    flesh = mix(flesh, (240, 238, 194), step(core, 1.25, 0.85))
    wall, sector = cells(p, 34, 2)
    ring = 0.40 + 0.10 * np.sin(sector * 2.4) + 0.03 * np.sin(sector * 5.1)
    across = rho * (np.float32(np.pi / 34) - wall)
    seed = length(as_float32(across / 0.026), (rho - ring) / 0.05)
    flesh = mix(flesh, (26, 20, 18), step(seed, 1.15, 0.75))
    skin = mix((112, 82, 44), (152, 116, 66), cloudy(p, 6, 3))
    skin = mix(skin, (84, 58, 30), dots(p, 16, 0.4, 4) * 0.6)
    return mix(skin, flesh, _face(p) * step(depth, 0.012, 0.03))


def _lime(p: Array) -> Array:
    rho, depth = length(p[0], p[1]), _depth(_LIME_BODY, p)
    wall, sector = cells(p, 9, 5)
    juice = noise(np.stack([azimuth(p) * 3.0, rho * 1.2, sector]), 3.2, 6)
    pulp = mix((158, 196, 62), (206, 224, 120), step(juice, 0.2, 0.85))
    pulp = mix(pulp, (222, 234, 158), step(noise(p, 16, 7), 0.7, 0.9) * 0.5)
    membrane = np.minimum(wall * rho, np.minimum((depth - 0.13) * 1.2, (rho - 0.09) * 1.5))
    pulp = mix((240, 244, 206), pulp, step(membrane, 0.012, 0.045))
    pulp = mix((104, 160, 32), pulp, step(depth, 0.035, 0.065))
    skin = mix((70, 128, 22), (118, 168, 44), cloudy(p, 2, 8))
    skin = mix(skin, (46, 96, 14), dots(p, 13, 0.34, 9) * 0.5)
    return mix(skin, pulp, _face(p))


def _watermelon(p: Array) -> Array:
    rho, depth = length(p[0], p[1]), _depth(_MELON_BODY, p)
    flesh = mix((226, 40, 48), (244, 86, 84), cloudy(p, 3.2, 10))
    flesh = mix(flesh, (252, 148, 136), step(noise(p, 14, 11), 0.72, 0.9) * 0.35)
    wall, sector = cells(p, 17, 12)
    ring = 0.47 + 0.14 * np.sin(sector * 2.4) + 0.05 * np.sin(sector * 4.7)
    seed = length(as_float32(rho * (np.pi / 17 - wall) / 0.036), (rho - ring) / 0.062)
    flesh = mix(flesh, (36, 20, 16), step(seed, 1.12, 0.82))
    flesh = mix((236, 240, 206), flesh, step(depth + 0.02 * noise(p, 5), 0.12, 0.17))
    flesh = mix((70, 124, 52), flesh, step(depth, 0.03, 0.055))
    band = np.cos(11 * (azimuth(p) + 0.28 * (cloudy(p, 5, 13) - 0.5)))
    skin = mix((134, 178, 84), (22, 74, 32), step(band + 0.7 * (cloudy(p, 6, 14) - 0.5), -0.25, 0.25))
    return mix(skin, flesh, _face(p))


def _avocado(p: Array) -> Array:
    depth = _depth(_AVOCADO_BODY, p) + 0.02 * noise(p, 4, 15)
    flesh = mix((150, 178, 62), (226, 216, 116), step(depth, 0.03, 0.24))
    flesh = mix(flesh, (240, 230, 148), step(depth, 0.2, 0.4))
    flesh = mix((84, 118, 36), flesh, step(depth, 0.035, 0.07))
    skin = mix((34, 44, 22), (62, 72, 36), cloudy(p, 5, 16))
    skin = mix(skin, (92, 100, 54), dots(p, 10, 0.3, 17) * 0.6)
    return mix(skin, flesh, _face(p, 0) * step(depth, 0.03, 0.05))


def _stone(p: Array) -> Array:
    wood = mix((112, 62, 28), (158, 98, 50), cloudy(p, 3.5, 18))
    return mix(
        wood,
        (86, 44, 20),
        step(noise(p * np.array([[1], [1], [0.3]], dtype=np.float32), 9, 19), 0.6, 0.85) * 0.6,
    )


def _ridges(theta: Array, phi: Array) -> Array:
    sector = (theta + 0.08 * np.sin(theta + 1)) * np.float32(5 / (2 * np.pi))
    off = 2 * np.abs(sector - np.rint(sector))
    # Straight flanks in the cross-section, rounded at the ridge and in the valley.
    flank = 0.40 / (0.40 + 0.62 * np.sqrt(off * off + 0.012) - 0.06)
    star = flank + 0.05 * step(off, 0.75, 1.0)
    return as_float32(0.6 + (star - 0.6) * np.sqrt(np.abs(np.sin(phi))))


_STAR_BODY = revolved(outlines.CARAMBOLA, _ridges, 0.02, 0.4)


def _carambola(p: Array) -> Array:
    rho = length(p[0], p[1])
    sector = (azimuth(p) + 0.08 * np.sin(azimuth(p) + 1)) * np.float32(5 / (2 * np.pi))
    off = 2 * np.abs(sector - np.rint(sector))
    skin = mix((250, 206, 40), (232, 178, 20), cloudy(p, 2.4, 20))
    skin = mix(skin, (162, 168, 44), step(off, 0.22, 0.02) * (0.5 + 0.5 * noise(p, 5, 21)))
    skin = mix(skin, (122, 84, 28), dots(p, 7, 0.3, 22) * step(off, 0.5, 0.1) * 0.7)
    depth = _depth(_STAR_BODY, p)
    flesh = mix((252, 226, 96), (254, 240, 158), step(depth + 0.03 * noise(p, 9, 23), 0.02, 0.12))
    flesh = mix(flesh, (250, 250, 206), step(rho, 0.17, 0.06) * 0.9)
    flesh = mix(flesh, (232, 192, 60), step(np.abs(off - 1) * rho, 0.05, 0.015) * step(rho, 0.36, 0.2) * 0.6)
    seed = length(off * rho / 0.10, (rho - 0.30) / 0.10)
    flesh = mix(flesh, (150, 98, 36), step(seed, 1.1, 0.8))
    flesh = mix((226, 176, 26), flesh, step(depth, 0.008, 0.028))
    return mix(skin, flesh, _face(p))


def _fuzz(p: Array) -> Array:
    return np.float32(0.012) * noise(p, 22, 24) * (1 - _face(p))


def _leather(p: Array) -> Array:
    return np.float32(-0.03) * dots(p, 9, 0.45, 25) * (1 - _face(p, 0))


_SOCKET = moved(revolved(outlines.AVOCADO_STONE, None, 0.02), (0, 0, -0.34))

CUT_FRUITS: dict[str, Fruit] = {
    "Avocado": Fruit(
        (
            Part(hollowed(cut(_AVOCADO_BODY, 0), _SOCKET), _avocado, 0.3, _leather),
            Part(moved(revolved(outlines.AVOCADO_STONE, None, 0.02), (0, 0, -0.34), 0.97), _stone, 0.6),
        ),
        elevation=58,
        lean=90,
    ),
    "Carambola": Fruit((Part(cut(_STAR_BODY), _carambola, 0.6),), elevation=46),
    "Kiwi": Fruit((Part(cut(_KIWI_BODY), _kiwi, 0.35, _fuzz),), elevation=52),
    "Lime": Fruit((Part(cut(_LIME_BODY), _lime, 0.45),), elevation=50),
    "Watermelon": Fruit((Part(cut(_MELON_BODY), _watermelon, 0.35),), elevation=38),
}
