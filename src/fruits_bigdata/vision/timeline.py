"""How many images each host dealt with in the course of a run, in few figures however long it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Of each host: four minutes by the second, an hour by 16 seconds, a day by some six minutes.
_MAX_BUCKETS = 240


@dataclass
class Timeline:
    """Images by host and by stretch of time; timelines add up.

    Attributes:
        width: Seconds of a stretch, a power of two: it doubles when there would be too many.
        images: For each host, the images of each stretch, by its number: Unix time // width.
    """

    width: int = 1
    images: dict[str, dict[int, int]] = field(default_factory=dict)

    def add(self, host: str, moment: float) -> None:
        """Count an image of `host` at `moment`, in Unix time."""
        stretches = self.images.setdefault(host, {})
        stretch = int(moment) // self.width
        stretches[stretch] = stretches.get(stretch, 0) + 1
        self._fit()

    def __add__(self, other: "Timeline") -> "Timeline":
        both = Timeline(max(self.width, other.width))
        for timeline in (self, other):
            for host, stretches in timeline.images.items():
                mine = both.images.setdefault(host, {})
                for stretch, n in stretches.items():
                    wider = stretch * timeline.width // both.width
                    mine[wider] = mine.get(wider, 0) + n
        both._fit()
        return both

    def rates(self) -> tuple[list[int], dict[str, list[float]]]:
        """Return when each stretch began, in seconds after the first, and the images/s of each host in it."""
        used = [stretch for stretches in self.images.values() for stretch in stretches]
        if not used:
            return [], {}
        span = range(min(used), max(used) + 1)
        return [(stretch - span[0]) * self.width for stretch in span], {
            host: [stretches.get(stretch, 0) / self.width for stretch in span]
            for host, stretches in sorted(self.images.items())
        }

    def _fit(self) -> None:
        while (span := self._span()) > _MAX_BUCKETS:
            factor = 2 ** (-(-span // _MAX_BUCKETS) - 1).bit_length()
            self.width *= factor
            self.images = {host: _widened(stretches, factor) for host, stretches in self.images.items()}

    def _span(self) -> int:
        used = [edge for stretches in self.images.values() for edge in (min(stretches), max(stretches))]
        return max(used) - min(used) + 1 if used else 0


def _widened(stretches: Mapping[int, int], factor: int) -> dict[int, int]:
    wider: dict[int, int] = {}
    for stretch, n in stretches.items():
        wider[stretch // factor] = wider.get(stretch // factor, 0) + n
    return wider
