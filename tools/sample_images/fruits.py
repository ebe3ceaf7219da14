"""The fruits: outlines by eye, colours by what they look like in a shop."""

import numpy as np

from tools.sample_images.surfaces import Array, Colour, Fruit, Paint, Surface, cloudy, dots, mix, noise, step


def ball(radius: float, height: float, dent: float = 0, power: float = 2) -> list[tuple[float, float]]:
    """Return the outline of a round fruit, with a dent at its top."""
    angles = np.linspace(0, np.pi, 25)
    radii, heights = np.sin(angles) ** (2 / power) * radius, np.cos(angles) * height
    return list(zip(radii, heights - dent * np.exp(-((radii / 0.22) ** 2)) * (angles < 1.5), strict=True))


def outline(text: str) -> list[tuple[float, float]]:
    """Return an outline from pairs of radius and height."""
    return [(float(radius), float(height)) for radius, height in (pair.split(",") for pair in text.split())]


def skin(one: Colour, other: Colour, frequency: float = 3, speckles: Colour = (), top: Colour = ()) -> Paint:
    """Return a paint of clouds, perhaps with speckles and another colour at the top."""

    def paint(points: Array, angle: Array, share: Array) -> Array:
        colours = mix(one, other, step(cloudy(points, frequency), 0.2, 0.8))
        if speckles:
            colours = mix(colours, speckles, dots(points, 11, 0.25) * 0.6)
        return mix(colours, top, step(share, 0.05, 0.02)) if top else colours

    return paint


_WOOD = skin((96, 66, 36), (58, 40, 22), 9)
_LEAF = skin((74, 128, 44), (44, 77, 26), 5)


def stem(top: float, bottom: float, radius: float = 0.04, paint: Paint = _WOOD, bend: float = 3) -> Surface:
    """Return a bent stem that widens at its ends."""
    along = [(0, top), (radius * 1.5, top), (radius, (top + bottom) / 2), (radius * 1.2, bottom)]
    return Surface(along, paint, bend=bend, shine=0.1, detail=0.25)


def leaves(
    n: int, base: float, reach: float, rise: float, slim: float = 2.5, paint: Paint = _LEAF
) -> Surface:
    """Return n pointed leaves around the axis, the more slender the higher `slim`."""

    def ribs(angle: Array) -> Array:
        # One whorl above another is turned.
        return 0.15 + 0.85 * np.abs(np.cos(n * (angle / 2 + reach))) ** slim

    along = [(0.03, base), (reach * 0.5, base + 0.14 + 0.3 * rise), (reach, base + rise)]
    return Surface(along, paint, ribs, shine=0.15, detail=0.5, solid=False)


def _five_lobes(angle: Array) -> Array:
    return 1 + 0.025 * np.cos(5 * angle)


def _egg(angle: Array) -> Array:
    return 0.66 + 0.5 * (0.5 + 0.5 * np.cos(angle)) ** 2.5


def _star(angle: Array) -> Array:
    return 1 / (1 + 1.3 * np.hypot(np.sin(2.5 * angle), 0.08))


def _red_apple(points: Array, angle: Array, share: Array) -> Array:
    colours = mix((206, 28, 38), (140, 12, 26), cloudy(points, 3))
    patch = step(np.cos(angle - 0.8), 0.35, 0.95) * step(cloudy(points, 2.2, 4), 0.3, 0.7)
    streaks = step(noise(np.stack([angle * 9, share * 2, 0 * share], 1), 1, 3), 0.25, 0.8)
    colours = mix(colours, (226, 190, 84), patch * streaks)
    return mix(colours, (196, 160, 70), step(share, 0.14, 0.03))


def _seeds(rho: Array, angle: Array, n: int, ring: float, wave: float) -> Array:
    """Return 1 in n seeds, which lie around the middle of a face, and 0 between them."""
    sector = angle * n / (2 * np.pi)
    off = (sector - np.rint(sector)) * rho * 40 / n
    along = rho - ring - wave * np.sin(np.rint(sector) * 2.4)
    return step(np.hypot(off * 4.5, along * 13), 0.75, 0.45)


def _kiwi(points: Array, angle: Array, share: Array) -> Array:
    rho = np.hypot(points[:, 0], points[:, 1])
    rays = noise(np.stack([5 * np.cos(angle), 5 * np.sin(angle), 0 * rho], 1), 1.6)
    flesh = mix((96, 158, 26), (166, 206, 66), step(rays + 0.2 * noise(points, 8), 0.3, 0.95))
    flesh = mix((240, 238, 194), flesh, step(rho, 0.22 + 0.05 * rays.mean(), 0.34))
    flesh = mix(flesh, (26, 20, 18), _seeds(rho, angle, 30, 0.42, 0.07))
    peel = skin((112, 82, 44), (152, 116, 66), 7, (84, 58, 30))(points, angle, share)
    return np.where((share < _FACE)[:, None], flesh, peel)


def _lime(points: Array, angle: Array, share: Array) -> Array:
    rho, sector = np.hypot(points[:, 0], points[:, 1]), angle * 10 / (2 * np.pi)
    juice = noise(np.stack([3 * angle, 1.2 * rho, np.floor(sector)], 1), 3.2)
    pulp = mix((158, 196, 62), (206, 224, 120), step(juice, 0.2, 0.85))
    # A membrane is as thick at the rim as in the middle.
    inside = np.minimum(np.abs(sector - np.rint(sector)) * rho * 0.63, np.minimum(0.87 - rho, rho - 0.09))
    pulp = mix((240, 244, 206), pulp, step(inside, 0.012, 0.045))
    pulp = mix(pulp, (104, 160, 32), step(rho, 0.93, 0.97))
    peel = skin((70, 128, 22), (118, 168, 44), 2, (46, 96, 14))(points, angle, share)
    return np.where((share < _FACE)[:, None], pulp, peel)


def _carambola(points: Array, angle: Array, share: Array) -> Array:
    rho, off = np.hypot(points[:, 0], points[:, 1]), np.abs(np.sin(2.5 * angle))
    depth = 1 - rho / _star(angle)
    flesh = mix((226, 176, 26), (254, 238, 150), step(depth, 0, 0.2))
    flesh = mix(flesh, (150, 98, 36), step(np.hypot(off * rho / 0.09, (rho - 0.33) / 0.1), 1.1, 0.8))
    peel = mix((250, 206, 40), (162, 168, 44), step(off, 0.25, 0.02) * 0.7)
    return np.where((share < 0.6)[:, None], flesh, peel)


def _watermelon(points: Array, angle: Array, share: Array) -> Array:
    rho = np.hypot(points[:, 0], points[:, 1])
    flesh = mix((226, 40, 48), (246, 96, 92), cloudy(points, 4))
    flesh = mix(flesh, (36, 20, 16), _seeds(rho, angle, 13, 0.5, 0.16))
    flesh = mix(flesh, (236, 240, 206), step(rho, 0.84, 0.9))
    flesh = mix(flesh, (70, 124, 52), step(rho, 0.95, 0.98))
    stripes = np.cos(11 * angle + 3 * cloudy(points, 3))
    peel = mix((134, 178, 84), (22, 74, 32), step(stripes, -0.25, 0.25))
    return np.where((share < 0.45)[:, None], flesh, peel)


def _avocado(points: Array, angle: Array, share: Array) -> Array:
    flesh = mix((240, 230, 148), (206, 206, 96), step(share, 0.2, 0.34))
    flesh = mix(flesh, (84, 128, 40), step(share, 0.345, 0.375))
    peel = mix((34, 44, 22), (70, 84, 40), dots(points, 10, 0.35))
    return np.where((share < 0.385)[:, None], flesh, peel)


def _banana(points: Array, angle: Array, share: Array) -> Array:
    colours = mix((250, 212, 44), (228, 180, 26), cloudy(points, 3))
    colours = mix(colours, (120, 80, 30), dots(points, 7, 0.16) * 0.7)
    colours = mix(colours, (176, 176, 60), step(np.abs(points[:, 2]), 1.05, 1.3) * 0.7)
    return mix(colours, (66, 48, 30), step(np.abs(points[:, 2]), 1.36, 1.42))


def _pineapple(points: Array, angle: Array, share: Array) -> Array:
    across, along = angle * 13 / (2 * np.pi), share * 13
    groove = np.minimum(*(np.abs((across + sign * along) % 1 - 0.5) * 2 for sign in (0.5, -0.5)))
    eyes = mix((206, 140, 40), (150, 92, 30), cloudy(points, 6))
    return mix((88, 66, 24), eyes, step(1 - groove, 0.12, 0.4) * step(groove, 0.02, 0.3))


def _strawberry(points: Array, angle: Array, share: Array) -> Array:
    row = np.floor(share * 15)
    across = angle * np.maximum(np.rint(16 * np.sin(np.pi * (row + 0.5) / 17)), 5) / (2 * np.pi) + row / 2
    seed = np.hypot((across - np.floor(across) - 0.5) * 1.6, share * 15 - row - 0.5)
    colours = mix((222, 30, 38), (180, 16, 30), cloudy(points, 3))
    return mix(mix(colours, (150, 12, 26), step(seed, 0.5, 0.34)), (240, 204, 110), step(seed, 0.3, 0.2))


def _cherry(bend: float) -> tuple[Surface, Surface]:
    """Return a cherry below its stalk."""
    low = [(radius, height - 2.15) for radius, height in ball(0.5, 0.48, 0.1)]
    stalk = stem(0, -1.8, 0.04, skin((110, 140, 50), (80, 110, 40)), bend)
    return Surface(low, skin((170, 16, 34), (110, 6, 24)), bend=bend, shine=0.9), stalk


_APPLE = outline("0,.5 .07,.58 .22,.76 .5,.82 .84,.55 .98,.12 .9,-.35 .65,-.75 .35,-.92 .12,-.86 0,-.8")
_PEAR = outline("0,1.22 .12,1.25 .28,1.1 .36,.8 .46,.45 .75,0 .86,-.4 .72,-.82 .4,-1 0,-.96")
_STRAWBERRY = outline("0,.78 .4,.8 .74,.55 .78,.2 .56,-.4 .26,-.86 0,-1")
_LEMON = outline("0,1.25 .1,1.22 .16,1.08 .45,.9 .78,.45 .84,0 .78,-.45 .45,-.9 .18,-1.1 .1,-1.3 0,-1.32")
_BANANA = outline("0,1.5 .06,1.5 .07,1.3 .2,1 .27,.4 .27,-.4 .19,-1.05 .09,-1.3 .07,-1.45 0,-1.45")
_EGGPLANT = outline("0,1 .2,.98 .34,.8 .4,.4 .56,-.2 .62,-.6 .48,-1 .2,-1.17 0,-1.2")
# Cut through: from the middle of the face to its edge, then the skin.
_BOWL = outline("0,0 .5,0 .98,0 1,0 .96,-.25 .8,-.55 .5,-.8 0,-.9")
_SLICE = outline("0,0 .5,0 .98,0 1,-.02 .96,-.45 .4,-.5 0,-.5")
# The share of a bowl's outline that is its face.
_FACE = 0.43
_GRANNY_SMITH = skin((112, 176, 36), (162, 208, 70), 2, (210, 230, 150))
_ORANGE_PEEL = skin((250, 150, 30), (236, 122, 16), 2, (190, 98, 12), (96, 120, 40))
_LEMON_PEEL = skin((250, 218, 40), (232, 192, 30), 2, (186, 154, 24), (96, 120, 40))
_PEAR_SKIN = skin((186, 194, 58), (222, 196, 92), 1.5, (120, 110, 40), (130, 96, 50))
_STONE = Surface(ball(0.34, 0.3), skin((112, 62, 28), (158, 98, 50), 4), detail=0.5)
_BLUEBERRY = skin((38, 48, 98), (98, 114, 172), 2)
_CROWN = leaves(5, 0.72, 0.42, 0.2, 1, skin((84, 88, 132), (50, 52, 80), 5))
_PLUM = skin((86, 16, 52), (122, 84, 134), 2)


FRUITS = {
    "Apple Granny Smith": lambda: Fruit(Surface(_APPLE, _GRANNY_SMITH, _five_lobes), stem(1.05, 0.5)),
    "Apple Red": lambda: Fruit(Surface(_APPLE, _red_apple, _five_lobes), stem(0.95, 0.5)),
    "Avocado": lambda: Fruit(Surface(_BOWL, _avocado, _egg, shine=0.2), _STONE, elevation=50),
    "Banana": lambda: Fruit(Surface(_BANANA, _banana, _five_lobes, 1.7, 0.3), elevation=48, lean=82),
    "Blueberry": lambda: Fruit(Surface(ball(1, 0.86, 0.12), _BLUEBERRY, shine=0.2), _CROWN, elevation=36),
    "Carambola": lambda: Fruit(Surface(_SLICE, _carambola, _star), elevation=46),
    "Cherry": lambda: Fruit(*_cherry(3), *_cherry(-3), elevation=8),
    "Eggplant": lambda: Fruit(
        Surface(_EGGPLANT, skin((40, 12, 46), (70, 24, 74), 1.5), bend=5, shine=0.9),
        leaves(5, 1.02, 0.52, -0.35),
        stem(1.4, 0.95, 0.09, _LEAF),
        lean=20,
    ),
    "Kiwi": lambda: Fruit(Surface(_BOWL, _kiwi, shine=0.3), elevation=48),
    "Lemon": lambda: Fruit(Surface(_LEMON, _LEMON_PEEL), lean=64),
    "Lime": lambda: Fruit(Surface(_BOWL, _lime, shine=0.4), elevation=50),
    "Orange": lambda: Fruit(Surface(ball(1, 0.95, 0.06), _ORANGE_PEEL), elevation=26),
    "Pear": lambda: Fruit(Surface(_PEAR, _PEAR_SKIN), stem(1.7, 1.1)),
    "Pineapple": lambda: Fruit(
        Surface(ball(0.62, 1, 0, 2.6), _pineapple, shine=0.2),
        *(leaves(7, 0.9, reach, rise, 4) for reach, rise in ((0.62, 0.45), (0.48, 0.75), (0.3, 0.95))),
    ),
    "Plum": lambda: Fruit(Surface(ball(0.88, 1, 0.1), _PLUM), stem(1.2, 0.7), elevation=22, lean=24),
    "Strawberry": lambda: Fruit(
        Surface(_STRAWBERRY, _strawberry), leaves(7, 0.84, 0.75, -0.3), stem(1.1, 0.8, 0.05, _LEAF)
    ),
    "Tomato": lambda: Fruit(
        Surface(ball(1, 0.78, 0.18, 2.4), skin((226, 44, 28), (200, 24, 20)), _five_lobes, shine=0.8),
        leaves(5, 0.66, 0.6, 0),
        stem(0.9, 0.6, 0.05, _LEAF),
        elevation=28,
    ),
    "Watermelon": lambda: Fruit(Surface(_BOWL, _watermelon, shine=0.3), elevation=34),
}
