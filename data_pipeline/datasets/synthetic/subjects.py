"""Subjects: the proportions, the build and the clothes that a person keeps in all samples."""

from __future__ import annotations

import dataclasses

import numpy as np

from data_pipeline.datasets.synthetic import poses
from data_pipeline.datasets.synthetic.kinematics import BodyProportions

# Torso and sleeves of a shirt are two materials, because only the torso has a front, a back and a
# hem.
MATERIALS = ('skin', 'hair', 'torso', 'sleeves', 'trousers', 'shoes', 'soles', 'seat')
SKIN, HAIR, TORSO, SLEEVES, TROUSERS, SHOES, SOLES, SEAT = range(len(MATERIALS))

SKINS = np.array([[236, 196, 170], [222, 172, 140], [198, 146, 112], [156, 106, 78], [104, 70, 52]])
HAIRS = np.array([[30, 24, 22], [62, 42, 30], [112, 78, 46], [176, 140, 86], [120, 118, 116]])


@dataclasses.dataclass(frozen=True)
class Subject:
    """One person.

    Left and right share every colour, so that only the pose tells them apart.

    Attributes:
      name: name of the subject, which differs from those of all other subjects of both splits.
      proportions: bone lengths, mm.
      girth: factor of the thickness of every limb.
      belly: factor of the thickness of the abdomen.
      bust: how far the chest stands out at the front, metres.
      colours: [M, 3], RGB colour of each of `MATERIALS`, 0 to 255.
      sleeve: share of the arm that the shirt covers; 0.25 is a T-shirt and 1 has long sleeves.
      leg: share of the leg that the trousers cover; 0.4 is shorts and 1 is long trousers.
      print_kind: pattern on the front of the shirt: 0 a row of buttons, 1 a patch, 2 stripes, 3 an
        open jacket.
      print_colour: [3], RGB colour of the pattern, 0 to 255.
      back_colour: [3], RGB colour of the back of the shirt, 0 to 255.
      long_hair: whether hair falls to the neck.
    """

    name: str
    proportions: BodyProportions
    girth: float
    belly: float
    bust: float
    colours: np.ndarray
    sleeve: float
    leg: float
    print_kind: int
    print_colour: np.ndarray
    back_colour: np.ndarray
    long_hair: bool


def sample_subject(rng: np.random.Generator, name: str) -> Subject:
    """A random person in random clothes."""
    skin = SKINS[rng.integers(len(SKINS))] * rng.uniform(0.9, 1.08)
    hair = HAIRS[rng.integers(len(HAIRS))] * rng.uniform(0.8, 1.2)
    shirt, trousers = _cloth(rng, 0.25, 0.95), _cloth(rng, 0.15, 0.75)
    shoes = _cloth(rng, 0.15, 0.95)
    soles = np.full(3, rng.choice([30.0, 215.0]))
    seat = np.array([125, 105, 85]) * rng.uniform(0.4, 1.6)
    return Subject(
        name=name,
        proportions=poses.sample_proportions(rng),
        girth=float(np.clip(rng.normal(1.0, 0.09), 0.82, 1.25)),
        belly=float(np.clip(rng.normal(1.0, 0.1), 0.8, 1.35)),
        bust=float(rng.choice([0.0, 0.025]) + rng.uniform(0, 0.015)),
        colours=np.clip(np.stack([skin, hair, shirt, shirt, trousers, shoes, soles, seat]), 4, 250),
        sleeve=float(rng.choice([rng.uniform(0.22, 0.4), 1.0])),
        leg=float(rng.choice([rng.uniform(0.3, 0.45), 1.0], p=[0.35, 0.65])),
        print_kind=int(rng.integers(4)),
        print_colour=_cloth(rng, 0.1, 1.0),
        back_colour=np.clip(shirt * rng.uniform(0.55, 0.9), 4, 250),
        long_hair=bool(rng.random() < 0.4),
    )


def _cloth(rng: np.random.Generator, darkest: float, brightest: float) -> np.ndarray:
    """A random RGB colour [3], 0 to 255, more often muted than bright."""
    value = rng.uniform(darkest, brightest)
    saturation = rng.beta(1.5, 2.0)
    hue = rng.uniform(0, 6) + np.array([0.0, 4.0, 2.0])
    full = np.clip(np.abs(hue % 6 - 3) - 1, 0, 1)
    return 255 * value * (1 - saturation * (1 - full))
