"""The skins of the whole fruits: each paint maps points (3, n) to sRGB colours (3, n), 0 to 255."""

import numpy as np

from fruits_bigdata.sample_images.model import Paint, Relief
from fruits_bigdata.sample_images.shapes import Array, as_float32, azimuth, length, polar
from fruits_bigdata.sample_images.textures import (
    Colour,
    cloudy,
    diamonds,
    dots,
    mercator,
    mix,
    noise,
    plain,
    step,
    streaks,
)

BARK = plain((96, 66, 38), 0.35, 14)


def apple_red(p: Array) -> Array:
    blush = 0.55 * streaks(p, 5, 2.5, 1) + 0.75 * cloudy(p, 1.1, 2) + 0.22 * p[0]
    skin = mix((222, 186, 74), (178, 20, 30), step(blush, 0.26, 0.62))
    skin = mix(skin, (120, 8, 22), step(streaks(p, 9, 3, 3), 0.45, 0.8) * 0.7)
    skin = mix(skin, (236, 200, 150), dots(p, 9, 0.16, 4) * 0.55)
    return mix(skin, (150, 120, 50), step(polar(p), 0.42, 0.12) * 0.9)


def granny_smith(p: Array) -> Array:
    skin = mix((112, 168, 34), (166, 202, 70), step(cloudy(p, 1.6, 5) + 0.15 * p[0], 0.25, 0.75))
    skin = mix(skin, (226, 236, 176), dots(p, 10, 0.17, 6) * 0.8)
    return mix(skin, (128, 118, 48), step(polar(p) + 0.2 * noise(p, 9), 0.5, 0.22) * 0.8)


def banana(p: Array) -> Array:
    along = np.degrees(np.arctan2(p[0], p[1] + np.float32(1.15)))
    skin = mix((252, 206, 40), (238, 184, 22), cloudy(p, 3, 7))
    skin = mix(skin, (168, 178, 52), step(np.abs(along), 38, 62) * 0.75)
    skin = mix(skin, (104, 62, 20), dots(p, 7, 0.22, 8) * step(noise(p, 2.5, 9), 0.35, 0.6) * 0.85)
    skin = mix(skin, (62, 44, 24), step(along, 68, 72))
    return mix(skin, (44, 32, 22), step(along, -55, -58))


def orange(p: Array) -> Array:
    skin = mix((244, 132, 8), (250, 158, 28), cloudy(p, 1.8, 10))
    skin = mix(skin, (206, 92, 0), dots(p, 13, 0.34, 11) * 0.55)
    return mix(skin, (126, 128, 40), step(polar(p) + 0.08 * noise(p, 8), 0.32, 0.18) * 0.7)


def pores(per_unit: float, depth: float, seed: int) -> Relief:
    """The pitted peel of citrus fruit: `per_unit` pores along a unit of length, `depth` deep."""
    return lambda p: (
        dots(p, per_unit, 0.42, seed) * np.float32(depth) + np.float32(depth) * noise(p, per_unit * 0.6, seed)
    )


def lemon(p: Array) -> Array:
    skin = mix((250, 208, 26), (254, 226, 70), cloudy(p, 1.7, 12))
    skin = mix(skin, (232, 180, 10), dots(p, 12, 0.3, 13) * 0.4)
    skin = mix(skin, (168, 176, 50), step(np.abs(p[2]), 0.86, 1.12) * 0.55)
    return mix(skin, (108, 92, 46), step(p[2], 1.09, 1.13))


def pear(p: Array) -> Array:
    skin = mix((186, 190, 58), (220, 206, 92), step(cloudy(p, 1.3, 14) - 0.2 * p[1], 0.25, 0.75))
    skin = mix(skin, (206, 112, 60), step(cloudy(p, 1.5, 15) + 0.5 * p[0], 0.72, 1.15) * 0.75)
    skin = mix(skin, (112, 98, 34), dots(p, 13, 0.26, 16) * 0.8)
    russet = step(cloudy(p, 3.5, 17) + 0.55 * step(p[2], 0.75, 1.1), 0.75, 0.95)
    return mix(skin, (150, 110, 54), russet * 0.8)


def plum(p: Array) -> Array:
    skin = mix((66, 18, 52), (132, 28, 62), step(cloudy(p, 1.4, 18) + 0.25 * p[0], 0.35, 0.8))
    skin = mix(skin, (214, 150, 140), dots(p, 11, 0.15, 19) * 0.6)
    bloom = step(cloudy(p, 2.2, 20), 0.42, 0.72) * (0.3 + 0.3 * noise(p, 6, 4))
    return mix(skin, (142, 132, 176), as_float32(bloom))


def cherry(p: Array) -> Array:
    skin = mix((120, 4, 20), (184, 14, 32), step(cloudy(p, 2.2, 21), 0.3, 0.75))
    return mix(skin, (222, 96, 84), dots(p, 13, 0.12, 22) * 0.5)


def tomato(p: Array) -> Array:
    skin = mix((206, 28, 12), (232, 58, 20), cloudy(p, 1.4, 23))
    skin = mix(skin, (240, 132, 40), step(polar(p) + 0.25 * streaks(p, 4, 3, 24), 0.75, 0.3) * 0.7)
    return mix(skin, (250, 150, 100), dots(p, 14, 0.12, 25) * 0.35)


def eggplant(p: Array) -> Array:
    skin = mix((40, 12, 46), (66, 22, 70), cloudy(p, 1.5, 26))
    skin = mix(skin, (120, 62, 110), step(streaks(p, 10, 4, 27), 0.62, 0.8) * 0.25)
    return mix(skin, (196, 170, 170), step(polar(p), 0.70, 0.36) * 0.5)


def leafy(dark: Colour, light: Colour, seed: int) -> Paint:
    """Blotched green between two colours."""
    return lambda p: mix(dark, light, step(cloudy(p, 4.5, seed), 0.2, 0.8))


def _seed_grid(p: Array) -> tuple[Array, Array]:
    return diamonds(azimuth(p) + np.float32(0.15) * noise(p, 3, 28), mercator(polar(p)), 12)


def _below_calyx(p: Array) -> Array:
    return step(polar(p), 0.5, 0.75)


def seed_pits(p: Array) -> Array:
    """Relief (n,) of a strawberry: pits, each with a seed raised in its middle."""
    across, up = _seed_grid(p)
    reach = length(across / np.float32(0.26), up / np.float32(0.36))
    return (0.042 * step(reach, 1.1, 0.2) - 0.03 * step(reach, 0.42, 0.2)) * _below_calyx(p)


def strawberry(p: Array) -> Array:
    across, up = _seed_grid(p)
    skin = mix((196, 10, 22), (226, 34, 32), cloudy(p, 2, 29))
    skin = mix(skin, (238, 150, 110), step(polar(p) + 0.15 * noise(p, 7), 0.75, 0.4) * 0.6)
    skin = mix(skin, (132, 0, 14), step(length(across / 0.24, up / 0.32), 1.0, 0.7) * 0.75 * _below_calyx(p))
    return mix(skin, (246, 206, 96), step(length(across / 0.12, up / 0.2), 1.0, 0.7) * _below_calyx(p))


def blueberry(p: Array) -> Array:
    skin = mix((40, 52, 104), (66, 84, 146), cloudy(p, 1.3, 30))
    skin = mix(skin, (134, 152, 200), step(cloudy(p, 1.9, 31) + 0.1 * p[1], 0.3, 0.85) * 0.7)
    skin = mix(skin, (34, 38, 76), step(noise(p, 5, 32), 0.72, 0.9) * 0.4)
    return mix(skin, (46, 36, 50), step(polar(p), 0.44, 0.30) * 0.9)


def eyes(theta: Array, phi: Array) -> tuple[Array, Array]:
    """Position within a pineapple's eye, (across, up), for azimuth and polar angle, (n,) each."""
    return diamonds(theta, mercator(phi), 11)


def pineapple(p: Array) -> Array:
    across, up = eyes(azimuth(p), polar(p - np.array([[0], [0], [-0.42]], dtype=np.float32)))
    edge = np.abs(across) + np.abs(up)
    skin = mix((214, 148, 40), (168, 122, 40), cloudy(p, 2.2, 33))
    skin = mix(skin, (112, 116, 44), step(cloudy(p, 1.4, 34) - 0.3 * p[2], 0.45, 0.75) * 0.6)
    skin = mix(skin, (74, 52, 22), step(edge, 0.34, 0.47) * 0.9)
    skin = mix(skin, (232, 196, 120), step(length(across / 0.14, (up + 0.02) / 0.1), 1.0, 0.6) * 0.7)
    return mix(skin, (88, 54, 28), step(length(across / 0.05, (up - 0.05) / 0.1), 1.0, 0.5))
