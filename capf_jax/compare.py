"""Draws and counts where programs differ on the same samples, and where a lifter looks.

Predictions of two to four programs, in the format of capf_jax/scoring/prediction_files.py
(`capf_jax.evaluate` writes it); the first one stands against the others:

    python -m capf_jax.compare A.npz B.npz --config=configs/human36m_hrnet32.py --out=compare

This prints a table and writes, as .png and .pdf: the error over the frames of a video, the frames
named where the programs differ most (error_by_frame); these poses side by side with the picture and
the true pose (side_by_side); errors by joint and by action, and the share of frames won. Videos and
samples are chosen by these rules, or by you:

    python -m capf_jax.compare A.npz B.npz --config=configs/human36m_hrnet32.py \\
        --video=subject=S9,action=Walking --samples=120,4711 --names=ours,theirs --out=compare

Where a lifter looks: the sampling points of all its blocks around the joint that was detected
worst, over consecutive frames of a video, and the attention between joints. A CA-PF-S looks at each
frame of a window in the same way:

    python -m capf_jax.compare --weights=runs/synthetic/lifter.safetensors \\
        --config=configs/synthetic.py --out=looks

Error against frames and cost, of published scores; no dataset is needed:

    python -m capf_jax.compare --published --out=published
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from capf_jax import assembly, data_assembly
from capf_jax.backends import programs
from capf_jax.errors import UserError, unknown
from capf_jax.figures import error_and_cost, program_errors, side_by_side
from capf_jax.figures.drawing import PROGRAMS, save_both
from capf_jax.inference import model_settings, start_weights
from capf_jax.models.temporal import TemporalLifter
from capf_jax.pose import skeletons
from capf_jax.runtime import commands, configuration, files
from capf_jax.scoring import comparison, looks, report, tables
from capf_jax.scoring.comparison import SHORTEST, VIDEO, Comparison
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.poses import default_group

MOST = len(PROGRAMS)  # programs in one comparison: no more can be told apart by their colours
Figures = Iterator[tuple[str, Figure]]


def draw_comparison(
    compared: Comparison,
    split: Split,
    video: dict[str, str],
    samples: Sequence[int] = (),
    number: int = 4,
) -> Figures:
    """The figures of a comparison by their names; nothing is written.

    Args:
      compared: of two or more programs.
      split: what its samples are read from.
      video: labels of the video whose frames are drawn; {} takes the one with the most frames.
      samples: positions in the split that are drawn side by side; () takes those that differ most.
      number: how many of these.

    Raises:
      UserError: there is no such video or sample.
    """
    names, rows = compared.names, compared.video(**video)
    frames = compared.labels['frame'][rows]
    if len(rows) >= SHORTEST:
        places = np.searchsorted(frames, compared.labels['frame'][compared.most_different(4, rows)])
        title = compared.sample_name(rows[0]).rpartition(', ')[0]
        errors = compared.errors[:, rows]
        yield (
            'error_by_frame',
            program_errors.error_by_frame(names, frames, errors, places.tolist(), title),
        )
    elif video:
        raise UserError(
            f'the video of --video has {len(rows)} frames in this split, and errors are drawn over '
            f'{SHORTEST} or more; choose another one'
        )
    chosen = [compared.place(index) for index in samples]
    caption = ''
    if not chosen:
        chosen = compared.most_different(number).tolist()
        caption = (
            f'Samples of {len(compared.targets)} on which {names[0]} is ahead of the others most, '
            'then those on which it is behind most. Seen from 60° to the right of the camera.'
        )
    if chosen:
        batch = split.read(compared.labels['index'][chosen])
        drawn = [
            side_by_side.Sample(
                batch.images[place],
                batch.joints2d_crop[place],
                compared.targets[row],
                np.stack([result.predictions[row] for result in compared.results]),
                compared.sample_name(row),
            )
            for place, row in enumerate(chosen)
        ]
        yield 'side_by_side', side_by_side.side_by_side(drawn, names, compared.skeleton, caption)
    joints = dict(zip(compared.skeleton.joints, compared.joint_errors.T, strict=True))
    by_joint = {joint.replace('_', ' '): errors for joint, errors in joints.items()}
    yield 'error_by_joint', program_errors.errors_by_row(names, by_joint)
    groups = compared.groups(default_group(compared.labels))
    everyone = {'all': np.ones(len(compared.targets), bool)}
    by_group = {
        name: compared.errors[:, samples].mean(1) for name, samples in (groups | everyone).items()
    }
    yield 'error_by_action', program_errors.errors_by_row(names, by_group, average='all')
    wins = {name: compared.won(samples) for name, samples in (groups | everyone).items()}
    yield 'frames_won', program_errors.wins_by_row(names, wins)


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    values, config = parse(argv)
    programs.start_process()
    figures: list[tuple[str, Figure]] = []
    words, content = '', None
    if values.published:
        figures.append(('error_and_cost', error_and_cost.error_and_cost()))
    if values.weights:
        assert config is not None  # `parse` sees to it
        figures += _weights_figures(values, config)
    if values.predictions:
        assert config is not None
        builder = data_assembly.open_data(config, build=False)
        split = data_assembly.open_split(builder, config)
        compared = comparison.compare(
            values.predictions,
            split,
            assembly.protocol(config),
            skeletons.get(config.skeleton),
            values.names,
        )
        words, content = compared.table(values.format), compared.to_json()
        figures += draw_comparison(compared, split, values.video, values.samples, values.number)
    # Everything is checked and drawn before the first file is written.
    out = files.user_path(values.out)
    files.check_writable(out)
    if content is not None:
        report.write_json(out / 'comparison.json', content)
        print(f'{words}\n\n{tables.line_start(values.format)}result: {out / "comparison.json"}')
    for name, figure in figures:
        for path in save_both(figure, out / name):
            print(f'{tables.line_start(values.format)}picture: {path}')
    return 0


def _weights_figures(values: argparse.Namespace, config: ConfigDict) -> Figures:
    weights = start_weights.read(values.weights)
    if weights.task not in ('lifter', 'sequence'):
        raise UserError(f'{values.weights} holds no lifter, and --weights draws where one looks')
    if weights.metadata['kind'] == 'poseformer':
        raise UserError(
            f'{values.weights} holds a PoseFormer, which lifts coordinates alone, and --weights '
            'draws where a lifter looks in the picture; give a file of a Context-Aware PoseFormer '
            'or of a CA-PF-S'
        )
    config, joints = start_weights.described(config, weights), skeletons.get(config.skeleton)
    frames = config.data.frames if weights.task == 'sequence' else None
    model = model_settings.context_aware_pose_former(config.model, joints, frames=frames)
    if isinstance(model.lifter, TemporalLifter):
        # It looks at each frame of a window by itself, so that single frames show where.
        model = dataclasses.replace(model, lifter=model.lifter.of_one_frame())
        config.task, config.data.frames, config.data.features = 'lifter', 1, False
    if model.detector is not None and not weights.parts.get('detector'):
        raise UserError(
            f'{values.weights} holds a lifter without the detector whose maps it looks at: give '
            'the file of a training run'
        )
    builder = data_assembly.open_data(config, build=False)
    split = data_assembly.open_split(builder, config)
    start_weights.check_crops(weights, split.read(np.array([0])).images.shape[1:3])
    variables = {'detector': {}, **weights.parts}
    shared = bool(values.predictions)
    return looks.draw_looks(
        model, variables, split, config, values.samples, samples_are_shared=shared
    )


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, ConfigDict | None]:
    """The arguments, and the configuration that they describe.

    Args:
      argv: as `sys.argv`, the program first.

    Raises:
      UserError: a missing, unknown or ill-typed argument, or nothing to draw.
    """
    parser = commands.Parser('capf_jax.compare', __doc__)
    add = parser.add_argument
    add('predictions', nargs='*', help=f'files of predictions, two to {MOST}')
    add('--out', metavar='FOLDER', help='where the figures go')
    add('--video', type=_video, default={}, metavar='NAME=VALUE,...', help='labels of a video')
    add('--samples', type=_samples, default=(), metavar='N,N', help='positions in the split')
    add(
        '--number', type=commands.whole_number(1), default=4, metavar='N',
        help='samples to choose (default: 4)',
    )  # fmt: skip
    add('--names', type=_program_names, default=(), metavar='A,B', help='of the programs')
    add('--weights', metavar='FILE', help='a lifter, to draw where it looks')
    add('--format', default='text', choices=tuple(tables.FORMATS), help='of the table')
    parser.add_flag('published', default=False, help='draw published scores over frames and cost')
    arguments = configuration.parse(argv, required=('out',), parser=parser, check=assembly.problems)
    values, config = arguments.values, arguments.config
    count = len(values.predictions)
    if not (count or values.weights or values.published):
        raise UserError(
            'there is nothing to draw: give files of predictions, --weights or --published'
        )
    if count == 1 or count > MOST:
        raise UserError(
            f'{count} file{"s" * (count > 1)} of predictions cannot be compared; give two to {MOST}'
        )
    if values.names and not count:
        raise UserError('--names are names of files of predictions; give these too')
    if values.names and len(values.names) != count:
        raise UserError(
            f'--names has {len(values.names)} names for {count} files of predictions; give one for '
            'each'
        )
    if config is None and (count or values.weights):
        raise UserError(
            '--config is missing: it names the dataset, such as --config=configs/synthetic.py'
        )
    values.predictions = [files.user_path(path) for path in values.predictions]
    return values, config


def _video(text: str) -> dict[str, str]:
    """'subject=S9,action=Walking' -> labels."""
    wanted = {}
    for part in text.split(','):
        name, _, value = part.partition('=')
        wanted[name] = value
        if name not in VIDEO:
            raise argparse.ArgumentTypeError(str(unknown('a label in it', name, VIDEO)))
    return wanted


def _program_names(text: str) -> tuple[str, ...]:
    """Names joined by commas, each another one."""
    names = tuple(part.strip() for part in text.split(','))
    if '' in names or len({*names}) < len(names):
        raise argparse.ArgumentTypeError(
            f'{text!r} has an empty name or one twice; give each program a name of its own'
        )
    return names


def _samples(text: str) -> tuple[int, ...]:
    """Whole numbers joined by commas; one that comes twice is taken once."""
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(',')))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text} is no list of whole numbers; give positions, such as --samples=12,345'
        ) from None


if __name__ == '__main__':
    commands.run(main)
