"""What a fruit is made of, in the terms of the renderer."""

from collections.abc import Callable
from dataclasses import dataclass

from fruits_bigdata.sample_images.shapes import Array, Shape

Paint = Callable[[Array], Array]
Relief = Callable[[Array], Array]


@dataclass(frozen=True)
class Part:
    """One material of a fruit: its shape, its colours and how it shines.

    `paint` maps points (3, n) on the surface to sRGB colours, float32 (3, n), 0 to 255. `relief` maps points
    to the depth (n,) of fine structure that bends the light but is too small to show in the silhouette.
    `gloss` runs from 0 (felt) to 1 (polished).
    """

    shape: Shape
    paint: Paint
    gloss: float = 0.3
    relief: Relief | None = None

    def surface(self, p: Array) -> Array:
        """Signed distance (n,) of points (3, n), fine structure included."""
        return self.shape(p) if self.relief is None else self.shape(p) + self.relief(p)


@dataclass(frozen=True)
class Fruit:
    """The parts of a fruit and how it stands before the camera.

    `elevation` is the height of the camera above the turntable and `lean` the angle by which the fruit's own
    axis leans away from the turntable's, both in degrees.
    """

    parts: tuple[Part, ...]
    elevation: float = 15.0
    lean: float = 0.0
