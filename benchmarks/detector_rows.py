"""Tables 5 and 7 of the paper on rendered people: what the detector has learnt, and which it is.

Every network learns from the same rendered pictures, of other people than those that the lifters
learn from, and is then frozen under the same lifter. A row of a lifter takes the weight file of a
row of a network, and the two stand on one line: the pose error, and how good the network is at what
it has learnt.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.table_parts import Order, Row, Size, Table

LIFTER = 'configs/synthetic.py'
DETECTOR = 'configs/synthetic_detector.py'
CLASSIFIER = 'configs/synthetic_classifier.py'
_FEW = Size(
    'size=4000,epochs=2',
    ('--config.data.builder.test_size=300', '--config.training.batch_size=16'),
)
QUICK: Mapping[str, Size] = {DETECTOR: _FEW, CLASSIFIER: _FEW}
_MANY = Size('size=8000,epochs=2')
FULL: Mapping[str, Size] = {DETECTOR: _MANY, CLASSIFIER: _MANY}

_POSE, _JOINTS, _CLASS = 'mpjpe', 'error_px', 'wrong_percent'
_TITLES = {
    _POSE: 'MPJPE, mm',
    _JOINTS: '2D error, px of 1000',
    _CLASS: 'activities mistaken, %',
}
_NETWORKS = {
    'hrnet': 'small HRNet',
    'vitpose': 'small ViTPose',
    'simplebaseline': 'small SimpleBaseline',
}
# Human3.6M; docs/method.md, The detectors: what the network has learnt from COCO's 2D poses.
_OF_JOINTS = {'hrnet': {_POSE: 41.4}, 'simplebaseline': {_POSE: 45.0}}
_OF_IMAGENET = {_POSE: 45.8}  # HRNet-W32


def _pair(network: str, line: str, paper: Mapping[str, float] | None = None) -> tuple[Row, Row]:
    """The lifter on a network, and the 2D detector that the network becomes."""
    detector = f'detector-{network}'
    arguments = f'step=3,network={network},weights={{{detector}}}'
    return (
        Row(f'on-{detector}', line, LIFTER, arguments, paper=paper or {}, metrics=(_POSE,)),
        Row(detector, line, DETECTOR, f'network={network}', metrics=(_JOINTS,)),
    )


def _coordinates() -> Row:
    """The lifter without context, which is a row of Table 3 too."""
    line = 'no network: coordinates only (step 0)'
    return Row('step-0', line, LIFTER, 'step=0', paper={_POSE: 51.2}, metrics=(_POSE,), minutes=1)


def table5() -> Table:
    """What the network has learnt before it is frozen under the lifter."""
    line = 'small HRNet, activities of people'
    rows = (
        *_pair('hrnet', 'small HRNet, 2D joints', _OF_JOINTS['hrnet']),
        Row(
            'on-classifier-hrnet',
            line,
            LIFTER,
            'step=3,weights={classifier-hrnet}',
            ('--noconfig.model.detector_head',),
            paper=_OF_IMAGENET,
            metrics=(_POSE,),
        ),
        Row('classifier-hrnet', line, CLASSIFIER, metrics=(_CLASS,)),
        Row(
            'on-random-hrnet',
            'small HRNet, nothing: random weights',
            LIFTER,
            'step=3',
            ('--config.model.detector_weights=',),
            metrics=(_POSE,),
        ),
        *_pair(
            'simplebaseline',
            'small SimpleBaseline (a ResNet), 2D joints',
            _OF_JOINTS['simplebaseline'],
        ),
        _coordinates(),
    )
    orders = (
        Order(
            '2D joints are a better pre-training than a classification (HRNet)',
            _POSE,
            ('on-classifier-hrnet', 'on-detector-hrnet'),
        ),
        Order(
            'with 2D joints learnt, HRNet is better than the ResNet',
            _POSE,
            ('on-detector-simplebaseline', 'on-detector-hrnet'),
        ),
        Order(
            'a classification is better than random weights (expected; not in the paper)',
            _POSE,
            ('on-random-hrnet', 'on-classifier-hrnet'),
        ),
    )
    return Table('Table 5: what the network has learnt before it is frozen', _TITLES, rows, orders)


def table7() -> Table:
    """Which network the detector is; no number of the paper's table is recorded in docs/method.md.

    Its orders are therefore what is expected, and no claims of the paper.
    """
    rows = [row for network, line in _NETWORKS.items() for row in _pair(network, line)]
    orders = tuple(
        Order(
            f'context of the {line} is better than none (expected; not in the paper)',
            _POSE,
            ('step-0', f'on-detector-{network}'),
        )
        for network, line in _NETWORKS.items()
    )
    return Table(
        'Table 7: backbones, trained on the same rendered pictures',
        {name: _TITLES[name] for name in (_POSE, _JOINTS)},
        (*rows, _coordinates()),
        orders,
    )
