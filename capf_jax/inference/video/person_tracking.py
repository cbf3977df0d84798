"""Who is who over time: the people of each frame get the numbers of those before.

A person is followed by where the 2D joints were and how they moved, by the distance from the
camera, and by the colours of the clothes. Pairs are chosen together (the Hungarian method, SciPy).
Someone who was hidden or out of the image is known again by the colours.

It is our own, since no library fitted in November 2026: `trackers` (Roboflow) needs opencv-python,
which overwrites the opencv-python-headless of this project; norfair needs NumPy below 2; and both
follow boxes, although joints, distances and colours tell people apart who cross.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from capf_jax.inference.people import People
from capf_jax.inference.video import person_colours
from capf_jax.pose.skeletons import SURE

LONGEST_HIDDEN = 1.0  # seconds for which a hidden person is still looked for where it would be
SAME_COLOURS = 0.55  # difference of colours up to which someone who comes back is the same
FEWEST_SIGHTINGS = 3  # frames of a person; fewer are a mistake of the finder
_NEAR = 0.3  # how far joints may be from where they are expected, a share of the person's size
_SPEED = 1.0  # sizes a second by which a hidden person may be further off
_FAR = 0.25  # usual error of a distance's logarithm
_WORST = 2.5  # cost from which two are not one person
_CROWDED = 0.2  # share of a box that another one covers, from which its colours may be the other's
_LEARN = 0.1  # how fast known colours follow those seen
_KEEP = 0.6  # share of a speed that stays from sighting to sighting


@dataclasses.dataclass(eq=False)
class Tracklet:
    """One person without a long interruption.

    Attributes:
      number: of the tracklet.
      first, last: seconds of its first and last sighting.
      sightings: how often it was seen.
      joints2d: [J, 2] pixels, at its last sighting.
      sure: [J] bool, which of them were sure.
      speed: [2] pixels a second, of the whole person.
      size: pixels, the side of a square as large as its box.
      distance: metres from the camera; NaN where it is not known.
      colours: [K, 3], the mean so far.
    """

    number: int
    first: float
    last: float
    sightings: int
    joints2d: Float[np.ndarray, 'J 2']
    sure: np.ndarray
    speed: Float[np.ndarray, ' 2']
    size: float
    distance: float
    colours: Float[np.ndarray, 'K 3']


class Tracker:
    """Follows people frame by frame; `known` are all tracklets so far, by number."""

    def __init__(self) -> None:
        self.known: list[Tracklet] = []
        self._followed: list[Tracklet] = []

    def update(
        self, people: People, colours: Float[np.ndarray, 'N K 3'], time: float
    ) -> Int[np.ndarray, ' N']:
        """The number of the tracklet that each person of the next frame belongs to.

        Args:
          people: of the frame, each once.
          colours: of each, `person_colours.colours_of`.
          time: seconds, later than all before.
        """
        import scipy.optimize  # It takes long to import, and photographs do without it.

        self._followed = [one for one in self._followed if time - one.last <= LONGEST_HIDDEN]
        costs = np.full((len(self._followed), len(people)), 2 * _WORST)
        for row, tracklet in enumerate(self._followed):
            for n in range(len(people)):
                costs[row, n] = _cost(tracklet, people, colours[n], n, time)
        rows, columns = scipy.optimize.linear_sum_assignment(costs)
        numbers = np.full(len(people), -1, np.int64)
        crowded = _crowded(people.boxes)
        for row, n in zip(rows, columns, strict=True):
            if costs[row, n] < _WORST:
                tracklet = self._followed[row]
                _see(tracklet, people, colours[n], n, time, bool(crowded[n]))
                numbers[n] = tracklet.number
        for n in np.flatnonzero(numbers < 0):
            tracklet = _new(len(self.known), people, colours[n], int(n), time)
            numbers[n] = tracklet.number
            self.known.append(tracklet)
            self._followed.append(tracklet)
        return numbers


def ids_of(
    tracklets: Sequence[Tracklet], fewest_sightings: int = FEWEST_SIGHTINGS
) -> Int[np.ndarray, ' tracklets']:
    """The person whom each tracklet shows, by colours: 0, 1 ... in the order of coming; -1: nobody.

    Args:
      tracklets: in the order of their first sightings.
      fewest_sightings: a tracklet with fewer is taken for a mistake.
    """
    people = KnownPeople()
    return np.array(
        [
            people.id_of(tracklet) if tracklet.sightings >= fewest_sightings else -1
            for tracklet in tracklets
        ],
        np.int64,
    )


class KnownPeople:
    """Tells by the colours whom a tracklet shows; what it has told of a tracklet stays."""

    def __init__(self) -> None:
        self._chains: list[list[Tracklet]] = []
        self._ids: dict[int, int] = {}

    def id_of(self, tracklet: Tracklet) -> int:
        """The person: 0, 1 ... in the order of coming.

        Args:
          tracklet: one that was asked for before, or one that begins later than all of these.
        """
        if tracklet.number in self._ids:
            return self._ids[tracklet.number]
        differences = [
            _difference_to(chain, tracklet) if chain[-1].last < tracklet.first else np.inf
            for chain in self._chains
        ]
        nearest = int(np.argmin(differences)) if differences else -1
        if nearest < 0 or differences[nearest] > SAME_COLOURS:
            nearest = len(self._chains)
            self._chains.append([])
        self._chains[nearest].append(tracklet)
        self._ids[tracklet.number] = nearest
        return nearest


def _difference_to(chain: Sequence[Tracklet], tracklet: Tracklet) -> float:
    """How much the colours of a person, as its longest tracklet has them, differ from others."""
    longest = max(chain, key=lambda one: one.sightings)
    different = person_colours.difference(longest.colours, tracklet.colours)
    return np.inf if different is None else different


def _cost(tracklet: Tracklet, people: People, colours: np.ndarray, n: int, time: float) -> float:
    """How unlike a person is to what is expected of a tracklet; from `_WORST` on it is another."""
    unseen = time - tracklet.last
    expected = tracklet.joints2d + tracklet.speed * min(unseen, LONGEST_HIDDEN / 2)
    both = tracklet.sure & (people.confidence[n] >= SURE)
    if both.sum() < 3:
        both = np.ones_like(both)
    size = max(tracklet.size, _size(people.boxes[n]))
    off = float(np.median(np.linalg.norm(people.joints2d[n] - expected, axis=-1)[both])) / size
    place = off / (_NEAR + _SPEED * unseen)
    if place > _WORST:
        return 2 * _WORST
    different = person_colours.difference(tracklet.colours, colours)
    distance = _distance(people, n)
    depth = abs(np.log(distance / tracklet.distance)) / _FAR
    depth = min(depth, 1.0) if np.isfinite(depth) else 0.0
    return place + (0.5 if different is None else 1.5 * different) + 0.5 * depth


def _new(number: int, people: People, colours: np.ndarray, n: int, time: float) -> Tracklet:
    return Tracklet(
        number=number,
        first=time,
        last=time,
        sightings=1,
        joints2d=people.joints2d[n],
        sure=people.confidence[n] >= SURE,
        speed=np.zeros(2),
        size=_size(people.boxes[n]),
        distance=_distance(people, n),
        colours=np.array(colours),
    )


def _see(
    tracklet: Tracklet, people: People, colours: np.ndarray, n: int, time: float, is_crowded: bool
) -> None:
    """Takes a sighting into a tracklet."""
    step = max(time - tracklet.last, 1e-6)
    moved = np.median(people.joints2d[n] - tracklet.joints2d, axis=0) / step
    is_new = tracklet.sightings == 1
    tracklet.speed = moved if is_new else _KEEP * tracklet.speed + (1 - _KEEP) * moved
    tracklet.last, tracklet.sightings = time, tracklet.sightings + 1
    tracklet.joints2d, tracklet.sure = people.joints2d[n], people.confidence[n] >= SURE
    tracklet.size = _size(people.boxes[n])
    distance = _distance(people, n)
    if np.isfinite(distance):
        known = tracklet.distance if np.isfinite(tracklet.distance) else distance
        tracklet.distance = known + 0.2 * (distance - known)
    if not is_crowded:
        is_known, shows = np.isfinite(tracklet.colours), np.isfinite(colours)
        share = np.where(is_known, max(_LEARN, 1 / tracklet.sightings), 1.0)
        before = np.where(is_known, tracklet.colours, 0.0)
        mixed = before + share * (np.where(shows, colours, 0.0) - before)
        tracklet.colours = np.where(shows, mixed, tracklet.colours)


def _crowded(boxes: np.ndarray) -> np.ndarray:
    """[N] whether another person's box covers a part of each."""
    first, last = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sides = np.minimum(last[:, None], last) - np.maximum(first[:, None], first)
    common = np.prod(np.maximum(sides, 0), axis=-1)
    np.fill_diagonal(common, 0)
    return (common > _CROWDED * np.prod(boxes[:, 2:], axis=-1)[:, None]).any(axis=1)


def _size(box: np.ndarray) -> float:
    return float(np.sqrt(max(box[2] * box[3], 1.0)))


def _distance(people: People, n: int) -> float:
    return float(np.linalg.norm(people.root[n])) if people.valid[n] else np.nan
