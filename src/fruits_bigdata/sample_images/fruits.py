"""The whole fruits: how each is shaped, which parts it has and how it stands."""

import numpy as np

from fruits_bigdata.sample_images import outlines, skins
from fruits_bigdata.sample_images.model import Fruit, Part
from fruits_bigdata.sample_images.shapes import (
    Array,
    as_float32,
    crescent,
    moved,
    revolved,
    ribs,
    rosette,
    shell,
    tube,
)
from fruits_bigdata.sample_images.textures import plain, step


def _groove(theta: Array, phi: Array) -> Array:
    return as_float32(1 - 0.055 * np.exp(-((theta / 0.16) ** 2)) * np.sqrt(np.abs(np.sin(phi))))


def _calyx_edge(theta: Array, phi: Array) -> Array:
    lobes = np.abs(np.sin(2.5 * theta + 0.6 + 0.25 * np.sin(theta)))
    return as_float32(0.20 + (0.26 + 0.05 * np.sin(theta + 1)) * lobes)


def _eye_bumps(theta: Array, phi: Array) -> Array:
    across, up = skins.eyes(theta, phi)
    edge = np.abs(across) + np.abs(up)
    return as_float32(1 + 0.085 * np.sin(phi) * (step(edge, 0.5, 0.22) - 0.5))


_EGGPLANT_BODY = revolved(outlines.EGGPLANT, ribs(3, 0.02), 0.10)

WHOLE_FRUITS: dict[str, Fruit] = {
    "Apple Granny Smith": Fruit(
        (
            Part(revolved(outlines.GRANNY_SMITH, ribs(5, 0.025, 0.7, 0.9), 0.05), skins.granny_smith, 0.62),
            Part(
                tube(((0, 0, 0.45), (0.02, 0.03, 0.8), (0.12, 0.08, 1.06)), (0.04, 0.035, 0.055)),
                skins.BARK,
                0.1,
            ),
        ),
        elevation=24,
        lean=6,
    ),
    "Apple Red": Fruit(
        (
            Part(revolved(outlines.APPLE_RED, ribs(5, 0.025, 0.9, 0.9, 0.4), 0.06), skins.apple_red, 0.66),
            Part(
                tube(((0, 0, 0.4), (-0.02, 0, 0.75), (-0.14, 0.05, 0.98)), (0.04, 0.035, 0.05)),
                skins.BARK,
                0.1,
            ),
        ),
        elevation=24,
        lean=8,
    ),
    "Banana": Fruit(
        (Part(crescent(outlines.BANANA_WIDTHS, 1.15, 5, 0.055), skins.banana, 0.35),), elevation=50, lean=6
    ),
    "Blueberry": Fruit(
        (
            Part(revolved(outlines.BLUEBERRY, ribs(3, 0.015), 0.05), skins.blueberry, 0.3),
            Part(rosette(5, 0.50, 0.21, 0.50, 52, 0.1, 0.035, 30), plain((72, 74, 118), 0.35, 7), 0.15),
        ),
        elevation=36,
        lean=14,
    ),
    "Cherry": Fruit(
        (
            Part(
                moved(revolved(outlines.CHERRY, _groove, 0.03), (-0.46, 0.0, -0.55), 0.46), skins.cherry, 0.85
            ),
            Part(
                moved(revolved(outlines.CHERRY, _groove, -0.03), (0.50, 0.12, -0.68), 0.44),
                skins.cherry,
                0.85,
            ),
            Part(
                tube(
                    ((-0.46, 0, -0.24), (-0.43, 0, 0.05), (-0.33, 0, 0.36), (-0.16, 0, 0.7), (0.08, 0, 1.0)),
                    (0.032, 0.026, 0.026, 0.028, 0.06),
                ),
                plain((112, 138, 44), 0.3),
                0.3,
            ),
            Part(
                tube(
                    (
                        (0.50, 0.12, -0.38),
                        (0.49, 0.11, 0.0),
                        (0.41, 0.08, 0.36),
                        (0.27, 0.04, 0.7),
                        (0.08, 0, 1.0),
                    ),
                    (0.032, 0.026, 0.026, 0.028, 0.06),
                ),
                plain((122, 136, 48), 0.3),
                0.3,
            ),
        ),
        elevation=12,
    ),
    "Eggplant": Fruit(
        (
            Part(_EGGPLANT_BODY, skins.eggplant, 0.92),
            Part(
                shell(_EGGPLANT_BODY, 0.045, _calyx_edge), skins.leafy((74, 104, 42), (124, 146, 66), 35), 0.2
            ),
            Part(
                tube(((0, 0, 0.9), (0.02, 0, 1.12), (0.1, 0.03, 1.32)), (0.14, 0.09, 0.1)),
                skins.leafy((84, 112, 48), (134, 152, 76), 36),
                0.2,
            ),
        ),
        elevation=14,
        lean=20,
    ),
    "Lemon": Fruit(
        (Part(revolved(outlines.LEMON, ribs(5, 0.02), 0.05), skins.lemon, 0.5, skins.pores(12, 0.008, 37)),),
        elevation=18,
        lean=42,
    ),
    "Orange": Fruit(
        (
            Part(revolved(outlines.ORANGE, None, 0.03), skins.orange, 0.5, skins.pores(13, 0.011, 38)),
            Part(rosette(5, 0.17, 0.07, 0.86, 0, 0.1, 0.03, 39), plain((118, 124, 52), 0.3), 0.1),
            Part(tube(((0, 0, 0.8), (0, 0, 0.90)), (0.06, 0.055)), plain((150, 128, 74), 0.3), 0.1),
        ),
        elevation=28,
        lean=14,
    ),
    "Pear": Fruit(
        (
            Part(revolved(outlines.PEAR, ribs(4, 0.02), 0.08), skins.pear, 0.4),
            Part(
                tube(((0, 0, 0.98), (0.02, 0.01, 1.15), (0.12, 0.03, 1.36)), (0.045, 0.035, 0.055)),
                skins.BARK,
                0.1,
            ),
        ),
        elevation=12,
        lean=8,
    ),
    "Pineapple": Fruit(
        (
            Part(
                moved(revolved(outlines.PINEAPPLE, _eye_bumps, 0.02, 0.7), (0, 0, -0.42)),
                skins.pineapple,
                0.3,
            ),
            Part(
                rosette(9, 0.62, 0.12, 0.22, 38, 0.30, 0.028, 40),
                skins.leafy((58, 92, 52), (128, 152, 92), 41),
                0.25,
            ),
            Part(
                rosette(8, 0.80, 0.12, 0.22, 60, 0.25, 0.028, 42),
                skins.leafy((50, 88, 48), (118, 150, 88), 43),
                0.25,
            ),
            Part(
                rosette(6, 0.95, 0.12, 0.20, 76, 0.12, 0.028, 44),
                skins.leafy((62, 104, 52), (140, 168, 98), 45),
                0.25,
            ),
        ),
        elevation=12,
        lean=5,
    ),
    "Plum": Fruit(
        (
            Part(revolved(outlines.PLUM, _groove, 0.04), skins.plum, 0.5),
            Part(
                tube(((0, 0, 0.8), (0.01, 0, 0.98), (0.06, 0.02, 1.1)), (0.035, 0.03, 0.045)), skins.BARK, 0.1
            ),
        ),
        elevation=22,
        lean=24,
    ),
    "Strawberry": Fruit(
        (
            Part(revolved(outlines.STRAWBERRY, ribs(3, 0.025), 0.10), skins.strawberry, 0.7, skins.seed_pits),
            Part(
                rosette(10, 0.74, 0.19, 0.68, 10, 0.42, 0.022, 46),
                skins.leafy((52, 112, 34), (112, 160, 58), 47),
                0.25,
            ),
            Part(
                tube(((0, 0, 0.62), (0.02, 0, 0.85), (0.1, 0.02, 1.02)), (0.05, 0.04, 0.045)),
                plain((120, 154, 70)),
                0.2,
            ),
        ),
        elevation=24,
        lean=14,
    ),
    "Tomato": Fruit(
        (
            Part(revolved(outlines.TOMATO, ribs(6, 0.035, 1.8, 0.6, 0.3), 0.05), skins.tomato, 0.85),
            Part(
                rosette(5, 0.68, 0.085, 0.62, 10, 0.12, 0.022, 48),
                skins.leafy((48, 100, 36), (96, 142, 58), 49),
                0.2,
            ),
            Part(
                tube(((0, 0, 0.5), (0.01, 0, 0.74), (0.08, 0.02, 0.9)), (0.06, 0.045, 0.06)),
                plain((84, 126, 52)),
                0.2,
            ),
        ),
        elevation=30,
        lean=8,
    ),
}
