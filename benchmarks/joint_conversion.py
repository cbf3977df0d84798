"""How well each rule makes Human3.6M's joints of COCO's, and the numbers of the rule 'fitted'.

    python -m benchmarks.joint_conversion --config=configs/photographs.py
    python -m benchmarks.joint_conversion --config=configs/photographs.py --people=8000 --write

The frozen detector finds its joints in the pictures of a dataset. The table says for every rule of
capf_jax/pose/joint_conversions.py how far its joints are from the true ones, joint by joint, on the
test split: the mean distance in percent of the person's extent, the longer side of the box around
the true joints. The column 'fitted now' is a matrix fitted to the training split in this very run,
and --write stores it as the rule 'fitted'. What was trained with the old numbers then no longer
fits: fit before anything is trained.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from capf_jax.backends import programs
from capf_jax.inference.estimator import Estimator
from capf_jax.pose import joint_conversions, normalise, skeletons
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import commands, configuration, files
from capf_jax.runtime.compilation_cache import use_compilation_cache
from capf_jax.scoring import tables
from data_pipeline import datasets
from data_pipeline.reader import Reader

PATH = pathlib.Path(__file__).parents[1] / 'capf_jax' / 'pose' / 'fitted_conversion.py'
PRIOR = 'motionbert'  # the rule that a fit begins from
RIDGE = 1e-5  # of the square of a weight's change, beside the mean squared error, extents
ROBUST = 0.03  # share of the extent from which an error counts less than its square
ROUNDS = 10  # of least squares, each with the weights that follow from the errors before
_AT_ONCE = 32


class People(NamedTuple):
    """Joints of N people, pixels of their crops."""

    detected: np.ndarray  # [N, S, 2] those that the detector finds
    truth: np.ndarray  # [N, T, 2] the true ones, of the lifter's skeleton


def detect(estimator: Estimator, reader: Reader, people: int) -> People:
    """The detector's joints of the first people of a split, and the true ones."""
    number = min(people, len(reader))
    detected, truth = [], []
    for start in tqdm(range(0, number, _AT_ONCE), desc='detecting', unit=' batches'):
        batch, _ = reader.batch(np.arange(start, min(start + _AT_ONCE, number)))
        detected.append(estimator.joints(batch.images)[0])
        truth.append(batch.joints2d_crop_truth)
    return People(np.concatenate(detected), np.concatenate(truth))


def fit(people: People, source: Skeleton, target: Skeleton, prior: np.ndarray) -> np.ndarray:
    """The matrix [T, S] that makes the true joints of those that the detector finds.

    It minimises the distances, far ones by their size and near ones by their square, in units of
    the person's extent. Rows sum to one, and the matrix commutes with the mirror.

    Args:
      people: at least a few hundred.
      source, target: the skeletons of `detected` and `truth`.
      prior: [T, S], rows sum to one; what is kept where the people do not tell.
    """
    centre, side = normalise.joints_extent(people.truth)
    detected, truth = (
        (people.detected - centre) / side,
        (people.truth - centre) / side,
    )  # in extents
    # What moves with the person has no part in the change: its columns sum to zero.
    relative = detected - detected.mean(axis=1, keepdims=True)
    weights = np.zeros_like(prior)
    for row in range(len(target)):
        residual = truth[:, row] - np.einsum('s,nsc->nc', prior[row], detected)
        change = np.zeros(len(source))
        for _ in range(ROUNDS):
            left = residual - np.einsum('s,nsc->nc', change, relative)
            distance = np.linalg.norm(left, axis=-1)
            counts = np.minimum(1, ROBUST / np.maximum(distance, 1e-9))
            square = np.einsum('n,nsc,ntc->st', counts, relative, relative)
            square += RIDGE * len(detected) * np.eye(len(source))
            change = np.linalg.solve(square, np.einsum('n,nsc,nc->s', counts, relative, residual))
        weights[row] = prior[row] + change
    mirrored = weights[np.ix_(list(target.flip), list(source.flip))]
    return (weights + mirrored) / 2


def errors(joints: np.ndarray, people: People) -> np.ndarray:
    """Mean distance [T] of joints [N, T, 2] from the true ones, percent of the extent."""
    _, side = normalise.joints_extent(people.truth)
    return 100 * (np.linalg.norm(joints - people.truth, axis=-1) / side[..., 0]).mean(axis=0)


def table(people: People, source: Skeleton, target: Skeleton, fitted: np.ndarray) -> str:
    """Every rule's error, joint by joint."""
    columns = {
        rule: errors(
            joint_conversions.get(source.name, target.name, rule).joints(people.detected), people
        )
        for rule in joint_conversions.RULES[source.name, target.name]
    }
    columns['fitted now'] = errors(np.einsum('ts,nsc->ntc', fitted, people.detected), people)
    rows = [
        [name, *(column[joint] for column in columns.values())]
        for joint, name in enumerate(target.joints)
    ]
    means = ['mean', *(column.mean() for column in columns.values())]
    return tables.grid([*rows, tables.SEPARATOR, means], ['% of extent', *columns], 'text')


def rounded(weights: np.ndarray, source: Skeleton, target: Skeleton) -> np.ndarray:
    """A matrix [T, S] to four digits, whose rows still sum to one and commute with the mirror."""
    digits = np.round(weights * 10_000).astype(int)
    middle = next(joint for joint, mirrored in enumerate(source.flip) if joint == mirrored)
    for row, mirrored in enumerate(target.flip):
        column = middle if row == mirrored else int(np.argmax(weights[row]))
        if row <= mirrored:
            digits[row, column] += 10_000 - digits[row].sum()
            digits[mirrored] = digits[row, list(source.flip)]
    return digits / 10_000


def write(
    path: pathlib.Path, weights: np.ndarray, source: Skeleton, target: Skeleton, note: str
) -> None:
    """Stores a matrix [T, S] as the rule 'fitted', in the Python file `PATH` or another."""
    lines = [
        "\"\"\"COCO's 17 joints to Human3.6M's 17 by the matrix of the rule 'fitted'.",
        '',
        '`python -m benchmarks.joint_conversion --write` has fitted the numbers on people, between',
        'the joints that a detector finds in their pictures and their true joints:',
        note,
        '"""',
        '',
        f'# Row: a joint of {target.name}. Column: a joint of {source.name}. A row sums to one.',
        'WEIGHTS = (',
    ]
    for name, row in zip(target.joints, rounded(weights, source, target), strict=True):
        numbers = [f'{weight:.4f},' for weight in row]
        lines += [f'    (  # {name}']
        lines += ['        ' + ' '.join(numbers[i : i + 9]) for i in range(0, len(numbers), 9)]
        lines += ['    ),']
    with files.whole(path) as temporary:
        temporary.write_text('\n'.join([*lines, ')  # fmt: skip', '']))


def measure(config: ConfigDict, people: int) -> tuple[np.ndarray, str]:
    """The matrix fitted to the training split, and the table on the test split.

    Raises:
      UserError: the configuration's detector has no weights or finds no joints, or there is no
        rule for its joints.
    """
    estimator = Estimator.load(config.model.detector_weights)
    target = skeletons.get(config.skeleton)
    builder = datasets.open_or_build(config.data, build=True)
    train, test = (
        detect(estimator, Reader(builder, split, target), number)
        for split, number in ((config.data.train_split, people), (config.data.test_split, people))
    )
    assert estimator.detector is not None  # `joints` refuses files without one
    source = estimator.detector.joints
    assert source is not None
    prior = joint_conversions.get(source.name, target.name, PRIOR).weights[..., 0]
    fitted = fit(train, source, target, prior)
    return fitted, table(test, source, target, fitted)


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('benchmarks.joint_conversion', __doc__)
    parser.add_argument('--people', type=int, default=2000, help='of each split (default: 2000)')
    parser.add_flag('write', default=False, help="store the matrix as the rule 'fitted'")
    arguments = configuration.parse(argv, required=('config',), parser=parser)
    config = arguments.config
    assert config is not None  # `parse` requires one.
    programs.start_process()
    use_compilation_cache()
    fitted, text = measure(config, arguments.values.people)
    print(text)
    if arguments.values.write:
        source, target = skeletons.COCO17, skeletons.get(config.skeleton)
        note = f'{arguments.values.people} people, {config.model.detector}.'
        write(PATH, fitted, source, target, note)
        print(f'written: {PATH}')
    return 0


if __name__ == '__main__':
    commands.run(main)
