"""The fruits: outlines by eye, colours by what they look like in a shop."""

import numpy as np

from tools.sample_images.surfaces import Array, Colour, Fruit, Surface, cloudy, dots, mix, noise, step


def ball(
    radius: float = 1, height: float = 1, dent: float = 0, power: float = 2
) -> list[tuple[float, float]]:
    """Return the outline of a round fruit, with a dent at its top."""
    angles = np.linspace(0, np.pi, 25)
    radii, heights = np.sin(angles) ** (2 / power) * radius, np.cos(angles) * height
    return list(zip(radii, heights - dent * np.exp(-((radii / 0.22) ** 2)) * (angles < 1.5), strict=True))


def outline(text: str) -> list[tuple[float, float]]:
    """Return an outline from pairs of radius and height."""
    return [(float(radius), float(height)) for radius, height in (pair.split(",") for pair in text.split())]


def lobes(n: int, depth: float):  # type: ignore[no-untyped-def]
    """Return ribs that make a cross-section of n lobes."""
    return lambda angle: 1 + depth * np.cos(n * angle)


def star(n: int, inner: float, sharpness: float, phase: float = 0):  # type: ignore[no-untyped-def]
    """Return ribs that make a star of n points."""
    return lambda angle: inner + (1 - inner) * np.abs(np.cos(n * angle / 2 + phase)) ** sharpness


def plain(one: Colour, other: Colour, frequency: float = 3):  # type: ignore[no-untyped-def]
    """Return the colouring of a skin with clouds of another colour."""
    return lambda points, angle, share: mix(one, other, cloudy(points, frequency))


def bent(radius: float):  # type: ignore[no-untyped-def]
    """Bend what stands upright along a circle."""

    def bend(points: Array) -> Array:
        along, away = points[:, 2] / radius, radius + points[:, 0]
        return np.stack([away * np.cos(along) - radius, points[:, 1], away * np.sin(along)], 1)

    return bend


def stem(
    top: float, bottom: float, radius: float = 0.04, colour: Colour = (96, 66, 36), bend: float = 3
) -> Surface:
    """Return a stem that widens at its end."""
    outline = [(0, top), (radius * 1.5, top), (radius, (top + bottom) / 2), (radius * 1.2, bottom)]
    return Surface(
        outline, plain(colour, tuple(0.6 * c for c in colour), 9), place=bent(bend), shine=0.1, detail=0.2
    )


def leaves(n: int, height: float, reach: float, droop: float, colour: Colour) -> Surface:
    """Return n pointed leaves around the axis."""
    outline = [(0.0, height), (reach * 0.5, height + 0.06), (reach, height - droop)]
    dark = tuple(0.6 * part for part in colour)
    return Surface(outline, plain(colour, dark, 5), star(n, 0.12, 2.5), shine=0.15, detail=0.5, solid=False)


def _red_apple(points: Array, angle: Array, share: Array) -> Array:
    skin = mix((206, 28, 38), (140, 12, 26), cloudy(points, 3))
    patch = step(np.cos(angle - 0.8), 0.35, 0.95) * step(cloudy(points, 2.2, 4), 0.3, 0.7)
    streaks = step(noise(np.stack([angle * 9, share * 2, 0 * share], 1), 1, 3), 0.25, 0.8)
    skin = mix(skin, (226, 190, 84), patch * streaks)
    return mix(skin, (196, 160, 70), step(share, 0.14, 0.03))


def _citrus_skin(one: Colour, other: Colour):  # type: ignore[no-untyped-def]
    def colour(points: Array, angle: Array, share: Array) -> Array:
        skin = mix(one, other, cloudy(points, 2))
        skin = mix(skin, tuple(0.8 * part for part in other), dots(points, 11, 0.3) * 0.6)
        return mix(skin, (96, 120, 40), step(share, 0.045, 0.025))

    return colour


def _seeds(points: Array, angle: Array, n: int, ring: float, wave: float, size: float) -> Array:
    """Return 1 in n seeds, which lie around the middle of a face, and 0 between them."""
    sector = angle * n / (2 * np.pi)
    off = (sector - np.rint(sector)) * np.hypot(points[:, 0], points[:, 1]) * 40 / n
    along = np.hypot(points[:, 0], points[:, 1]) - ring - wave * np.sin(np.rint(sector) * 2.4)
    return step(np.hypot(off * 4.5, along * 13), size, 0.6 * size)


def _kiwi(points: Array, angle: Array, share: Array) -> Array:
    rho = np.hypot(points[:, 0], points[:, 1])
    rays = noise(np.stack([5 * np.cos(angle), 5 * np.sin(angle), 0 * rho], 1), 1.6)
    flesh = mix((96, 158, 26), (166, 206, 66), step(rays + 0.2 * noise(points, 8), 0.3, 0.95))
    flesh = mix((240, 238, 194), flesh, step(rho, 0.22 + 0.05 * rays.mean(), 0.34))
    flesh = mix(flesh, (26, 20, 18), _seeds(points, angle, 30, 0.42, 0.07, 0.75))
    skin = mix((112, 82, 44), (152, 116, 66), cloudy(points, 7))
    return np.where((share < 0.43)[:, None], flesh, mix(skin, (84, 58, 30), dots(points, 16, 0.4) * 0.6))


def _watermelon(points: Array, angle: Array, share: Array) -> Array:
    rho = np.hypot(points[:, 0], points[:, 1])
    flesh = mix((226, 40, 48), (246, 96, 92), cloudy(points, 4))
    flesh = mix(flesh, (36, 20, 16), _seeds(points, angle, 13, 0.5, 0.16, 0.75))
    flesh = mix(flesh, (236, 240, 206), step(rho, 0.84, 0.9))
    flesh = mix(flesh, (70, 124, 52), step(rho, 0.95, 0.98))
    stripes = np.cos(11 * angle + 3 * cloudy(points, 3))
    return np.where(
        (share < 0.45)[:, None], flesh, mix((134, 178, 84), (22, 74, 32), step(stripes, -0.25, 0.25))
    )


def _avocado(points: Array, angle: Array, share: Array) -> Array:
    flesh = mix((240, 230, 148), (206, 206, 96), step(share, 0.2, 0.34))
    flesh = mix(flesh, (84, 128, 40), step(share, 0.345, 0.375))
    skin = mix((34, 44, 22), (70, 84, 40), dots(points, 10, 0.35))
    return np.where((share < 0.385)[:, None], flesh, skin)


def _banana(points: Array, angle: Array, share: Array) -> Array:
    skin = mix((250, 212, 44), (228, 180, 26), cloudy(points, 3))
    skin = mix(skin, (120, 80, 30), dots(points, 7, 0.16) * 0.7)
    skin = mix(skin, (176, 176, 60), step(np.abs(points[:, 2]), 1.05, 1.3) * 0.7)
    return mix(skin, (66, 48, 30), step(np.abs(points[:, 2]), 1.36, 1.42))


def _pear(points: Array, angle: Array, share: Array) -> Array:
    skin = mix((190, 200, 60), (220, 208, 92), cloudy(points, 2))
    skin = mix(skin, (214, 140, 70), step(np.cos(angle), 0.5, 1) * 0.4)
    skin = mix(skin, (120, 110, 40), dots(points, 12, 0.2) * 0.6)
    return mix(skin, (130, 96, 50), step(share, 0.06, 0.02))


def _pineapple(points: Array, angle: Array, share: Array) -> Array:
    across, along = angle * 13 / (2 * np.pi), share * 13
    groove = np.minimum(*(np.abs((across + sign * along) % 1 - 0.5) * 2 for sign in (0.5, -0.5)))
    eyes = mix((206, 140, 40), (150, 92, 30), cloudy(points, 6))
    return mix((88, 66, 24), eyes, step(1 - groove, 0.12, 0.4) * step(groove, 0.02, 0.3))


def _strawberry(points: Array, angle: Array, share: Array) -> Array:
    row = np.floor(share * 15)
    across = angle * np.maximum(np.rint(16 * np.sin(np.pi * (row + 0.5) / 17)), 5) / (2 * np.pi) + row / 2
    seed = np.hypot((across - np.floor(across) - 0.5) * 1.6, share * 15 - row - 0.5)
    skin = mix((222, 30, 38), (180, 16, 30), cloudy(points, 3))
    return mix(mix(skin, (150, 12, 26), step(seed, 0.5, 0.34)), (240, 204, 110), step(seed, 0.3, 0.2))


def _cherry(x: float) -> Surface:
    skin = plain((170, 16, 34), (110, 6, 24))
    return Surface(ball(0.5, 0.48, 0.1), skin, place=lambda points: points - (x, 0, 0), shine=0.9, detail=0.7)


def _stalk(x: float) -> Surface:
    def place(points: Array) -> Array:
        away = x * (1 - ((points[:, 2] - 0.35) / 1.65).clip(0) ** 1.6)
        return points + np.outer(away, (1, 0, 0))

    thin = [(0, 2), (0.06, 2), (0.04, 1.2), (0.05, 0.35)]
    return Surface(thin, plain((110, 140, 50), (80, 110, 40)), place=place, shine=0.1, detail=0.3)


def _crown(reach: float, height: float, phase: float) -> Surface:
    rising = [(0.05, 0.9), (reach * 0.55, 0.9 + 0.6 * height), (reach, 0.9 + height)]
    green, ribs = plain((70, 120, 60), (36, 76, 40), 5), star(7, 0.3, 4, phase)
    return Surface(rising, green, ribs, shine=0.1, detail=0.6, solid=False)


def _avocado_half(angle: Array) -> Array:
    return 0.86 + 0.2 * np.cos(angle) + 0.12 * np.cos(2 * angle)


_APPLE = outline("0,.5 .07,.58 .22,.76 .5,.82 .84,.55 .98,.12 .9,-.35 .65,-.75 .35,-.92 .12,-.86 0,-.8")
_PEAR = outline("0,1.22 .12,1.25 .28,1.1 .36,.8 .46,.45 .75,0 .86,-.4 .72,-.82 .4,-1 0,-.96")
_STRAWBERRY = outline("0,.78 .4,.8 .74,.55 .78,.2 .56,-.4 .26,-.86 0,-1")
_LEMON = outline("0,1.25 .1,1.22 .16,1.08 .45,.9 .78,.45 .84,0 .78,-.45 .45,-.9 .18,-1.1 .1,-1.3 0,-1.32")
_BANANA = outline("0,1.5 .06,1.5 .07,1.3 .2,1 .27,.4 .27,-.4 .19,-1.05 .09,-1.3 .07,-1.45 0,-1.45")
# Cut through: from the middle of the face to its edge, then the skin.
_BOWL = outline("0,0 .5,0 .98,0 1,0 .96,-.25 .8,-.55 .5,-.8 0,-.9")
_STONE = plain((112, 62, 28), (158, 98, 50), 4)
_GREEN = (74, 128, 44)

FRUITS = {
    "Apple Granny Smith": lambda: Fruit(
        Surface(_APPLE, plain((120, 190, 40), (160, 210, 70)), lobes(5, 0.015)), stem(1.05, 0.5)
    ),
    "Apple Red": lambda: Fruit(Surface(_APPLE, _red_apple, lobes(5, 0.02)), stem(0.95, 0.5)),
    "Avocado": lambda: Fruit(
        Surface(_BOWL, _avocado, _avocado_half, shine=0.2),
        Surface(ball(0.36, 0.3), _STONE, place=lambda points: points - (0.26, 0, 0), detail=0.5),
        elevation=50,
    ),
    "Banana": lambda: Fruit(Surface(_BANANA, _banana, lobes(5, 0.03), bent(1.7), 0.3), elevation=48, lean=82),
    "Cherry": lambda: Fruit(_cherry(0.6), _cherry(-0.6), _stalk(-0.6), _stalk(0.6), elevation=8),
    "Kiwi": lambda: Fruit(Surface(_BOWL, _kiwi, lobes(2, 0.05), shine=0.3), elevation=48),
    "Lemon": lambda: Fruit(Surface(_LEMON, _citrus_skin((250, 218, 40), (232, 192, 30))), lean=64),
    "Orange": lambda: Fruit(
        Surface(ball(1, 0.95, 0.06), _citrus_skin((250, 150, 30), (236, 122, 16))), elevation=26
    ),
    "Pear": lambda: Fruit(Surface(_PEAR, _pear, lobes(3, 0.02)), stem(1.7, 1.1)),
    "Pineapple": lambda: Fruit(
        Surface(ball(0.62, 1, 0, 2.6), _pineapple, shine=0.2),
        *(_crown(*leaf) for leaf in ((0.62, 0.45, 0), (0.48, 0.75, 0.8), (0.3, 0.95, 0.3))),
    ),
    "Strawberry": lambda: Fruit(
        Surface(_STRAWBERRY, _strawberry, shine=0.7),
        leaves(7, 0.84, 0.75, 0.3, _GREEN),
        stem(1.1, 0.8, 0.05, _GREEN),
    ),
    "Tomato": lambda: Fruit(
        Surface(ball(1, 0.78, 0.18, 2.4), plain((226, 44, 28), (200, 24, 20)), lobes(5, 0.035), shine=0.8),
        leaves(5, 0.68, 0.5, -0.02, _GREEN),
        stem(0.9, 0.6, 0.05, _GREEN),
        elevation=28,
    ),
    "Watermelon": lambda: Fruit(Surface(_BOWL, _watermelon, shine=0.3), elevation=34),
}
