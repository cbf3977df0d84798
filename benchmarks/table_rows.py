"""The tables of the paper that are made anew on rendered people, as lists of rows.

What the paper has is quoted from docs/method.md; a number that is not recorded there is left out.
Tables 5 and 7, whose rows need detectors, are in `detector_rows.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from benchmarks import detector_rows
from benchmarks.table_parts import Order, Row, Size, Table

CA_PF_S = 'configs/synthetic_ca_pf_s.py'
POSEFORMER = 'configs/synthetic_poseformer.py'
SINGLE = detector_rows.LIFTER

# Sizes by config file. With two seeds, all rows of the full form shall take at most 8 hours on two
# cores, and those of the quick form 30 minutes. A window of 27 frames costs 27 frames, so that
# windows are few: each is seen once, and averaging the weights stands for the decay of the learning
# rate.
_WINDOWS = Size('people=12000,clip=40,epochs=1', ('--config.training.weight_average=0.99',))
FULL: Mapping[str, Size] = {
    CA_PF_S: _WINDOWS,
    POSEFORMER: _WINDOWS,
    SINGLE: Size(),
    **detector_rows.FULL,
}
_FEW_WINDOWS = Size('people=3000,clip=50,epochs=3')
QUICK: Mapping[str, Size] = {
    CA_PF_S: _FEW_WINDOWS,
    POSEFORMER: _FEW_WINDOWS,
    SINGLE: Size(
        fields=('--config.data.builder.train_size=3000', '--config.data.builder.test_size=300')
    ),
    **detector_rows.QUICK,
}
# The rows of the quick form: those of the orders that so short a training shows.
QUICK_ROWS = frozenset(
    (
        'step-0', 'control', 'step-3', 'noise-0', 'noise-3', 'light-step-0', 'light-step-3',
        'on-detector-hrnet', 'detector-hrnet', 'on-classifier-hrnet', 'classifier-hrnet',
        'on-random-hrnet', 'ca_pf_s-1', 'ca_pf_s-3', 'poseformer-1', 'poseformer-3', 'poseformer-9',
    )
)  # fmt: skip

FRAMES = (1, 3, 9, 27)
_MPJPE = {'mpjpe': 'MPJPE, mm'}
_VIDEO = {**_MPJPE, 'mpjve': 'MPJVE, mm'}
_PAPER = {  # Human3.6M; docs/method.md, CA-PF-S and PoseFormer
    'ca_pf_s': dict(zip(FRAMES, ((44.7, 8.5), (44.2, 4.8), (43.4, 3.4), (40.2, 2.1)), strict=True)),
    'poseformer': {1: (53.2,), 3: (51.0,), 9: (49.9,)},
}


def _windows(model: str, frames: int, column: str = '') -> Row:
    """CA-PF-S or PoseFormer with windows of so many frames; the column is '' or 'causal'."""
    is_ca = model == 'ca_pf_s'
    plural = 'frame' if frames == 1 else 'frames'
    return Row(
        name=f'{model}-{frames}' + (f'-{column}' if column else ''),
        line=f'{"CA-PF-S" if is_ca else "PoseFormer"}, {frames} {plural}',
        config=CA_PF_S if is_ca else POSEFORMER,
        arguments=f'frames={frames}' + (',causal=true' if column else ''),
        paper={} if column else dict(zip(_VIDEO, _PAPER[model].get(frames, ()), strict=False)),
        column=column,
        features=is_ca,
        frames=frames,
        minutes=0.4 + (0.33 if is_ca else 0.03) * frames,
    )


def _kept(frames: int) -> Row:
    """CA-PF-S on context that the projection of the single-frame row has made small."""
    return Row(
        name=f'kept-{frames}',
        line=f'CA-PF-S, {frames} frames, projection of the row of 1 frame kept',
        config=CA_PF_S,
        arguments=f'frames={frames},projection={{ca_pf_s-1}}',
        features=True,
        frames=frames,
        minutes=1.4 + 0.33 * frames,
    )


def _table6() -> Table:
    titles = {'ca_pf_s': 'CA-PF-S', 'poseformer': 'PoseFormer'}
    rows = []
    for model in titles:
        rows += [_windows(model, frames) for frames in FRAMES]
        rows += [_windows(model, frames, 'causal') for frames in FRAMES[1:]]
    orders = [
        Order(
            f'{title}: more frames lower {metric.upper()}',
            metric,
            tuple(f'{model}-{frames}' for frames in FRAMES),
        )
        for model, title in titles.items()
        for metric in _VIDEO
    ]
    orders += [
        Order(
            f'{title}: of the two errors, more frames lower MPJVE by the larger share',
            'mpjve',
            tuple(f'{model}-{frames}' for frames in FRAMES),
            beside='mpjpe',
        )
        for model, title in titles.items()
    ]
    orders += [
        Order(
            f'CA-PF-S is below PoseFormer at F = {frames}',
            'mpjpe',
            (f'poseformer-{frames}', f'ca_pf_s-{frames}'),
        )
        for frames in FRAMES
    ]
    return Table(
        'Table 6: CA-PF-S and PoseFormer by the frames of a window',
        _VIDEO,
        tuple(rows),
        tuple(orders),
    )


def _projection() -> Table:
    rows = [_windows('ca_pf_s', 1)]
    for frames in (9, 27):
        raw = _windows('ca_pf_s', frames)
        line = f'{raw.line}, raw context'
        rows += [dataclasses.replace(raw, line=line, paper={}), _kept(frames)]
    return Table(
        'Raw context against a kept projection (not in the paper)', _VIDEO, tuple(rows), ()
    )


_STEPS = (  # docs/method.md, The lifter
    ('step-0', 'coordinates only (step 0)', 'step=0', {'mpjpe': 51.2}),
    ('control', "coordinates and the detector's own 2D joints", 'step=0,detector_joints=true', {}),
    ('step-1', 'coordinates and sampled context (step 1)', 'step=1', {'mpjpe': 43.5}),
    ('step-2', '+ pose-context fusion (step 2)', 'step=2', {'mpjpe': 42.8}),
    ('step-3', '+ deformable context extraction (step 3)', 'step=3', {'mpjpe': 41.4}),
)
_NO_CONTEXT = {'step-0': 1.0, 'control': 3.0}  # minutes; the others take what is usual


def _minutes(step: str) -> float:
    return _NO_CONTEXT.get(step, Row.minutes)


def _table3() -> Table:
    rows = tuple(
        Row(name, line, SINGLE, text, paper=paper, minutes=_minutes(name))
        for name, line, text, paper in _STEPS
    )
    orders = (
        Order('each step lowers MPJPE', 'mpjpe', ('step-0', 'step-1', 'step-2', 'step-3')),
        Order('the whole lifter is below the control', 'mpjpe', ('control', 'step-3')),
    )
    return Table('Table 3: the steps of the ablation', _MPJPE, rows, orders)


def _table4() -> Table:
    rows = [Row('step-3', 'all levels', SINGLE, 'step=3', paper={'mpjpe': 41.4})]
    for level, score in enumerate((42.9, 42.4, 43.1, 41.8)):
        others = ','.join(str(other) for other in range(4) if other != level)
        rows.append(
            Row(
                name=f'without-{4 << level}x',
                line=f'without the map at stride {4 << level}',
                config=SINGLE,
                arguments='step=3',
                fields=(f'--config.model.lifter.levels=({others})',),
                paper={'mpjpe': score},
            )
        )
    *finer, coarsest = rows[1:]
    orders = [
        Order(f'{row.line} is worse than all levels', 'mpjpe', (row.name, 'step-3'))
        for row in rows[1:]
    ]
    orders += [
        Order(f'{row.line} is worse than without the coarsest', 'mpjpe', (row.name, coarsest.name))
        for row in finer
    ]
    return Table('Table 4: feature levels left out', _MPJPE, tuple(rows), tuple(orders))


def _noise() -> Table:
    papers = {'step-0': {}, 'step-3': {'mpjpe_0': 41.4, 'mpjpe_5': 64.9}}
    rows = tuple(
        Row(
            name.replace('step', 'noise'),
            line,
            SINGLE,
            text,
            paper=papers[name],
            noise=tuple(range(6)),
            minutes=_minutes(name),
        )
        for name, line, text, _ in _STEPS
        if name in papers
    )
    sigmas = rows[0].noise
    return Table(
        'Noise on the 2D joints, px of a 1000 px image beside what the dataset has',
        {f'mpjpe_{sigma}': f'MPJPE at {sigma} px' for sigma in sigmas},
        rows,
        (Order('context helps at 5 px, too', 'mpjpe_5', ('noise-0', 'noise-3')),),
    )


def _light() -> Table:
    rows = tuple(
        Row(f'light-{name}', line, SINGLE, f'{text},light=random', minutes=_minutes(name))
        for name, line, text, _ in _STEPS
        if name in ('step-0', 'control', 'step-3')
    )
    orders = (Order('context helps', 'mpjpe', ('light-step-0', 'light-step-3')),)
    return Table('Light from anywhere (not in the paper)', _MPJPE, rows, orders)


TABLES: Mapping[str, Table] = {
    'table3': _table3(),
    'table4': _table4(),
    'table5': detector_rows.table5(),
    'table6': _table6(),
    'table7': detector_rows.table7(),
    'projection': _projection(),
    'noise': _noise(),
    'light': _light(),
}
ROWS: Mapping[str, Row] = {row.name: row for table in TABLES.values() for row in table.rows}
