"""A ladder of whole-model parity, from a weight file to six steps of AdamW.

For each backbone: maps, lifter stages, pose, flip test, loss, gradients, AdamW, and the model of
MPI-INF-3DHP on the same backbone. The first rung that breaks says where. One file a backbone, so
that one worker runs it and nothing is compiled twice.
"""

import functools

import jax
import numpy as np
import pytest

from capf_jax.backends.cpu import options
from tests import compiling
from tests.goldens import recipe
from tests.parity import comparing, published, training

ADAMW_STEPS = 6


class Model:
    """One backbone's models on the recipe's inputs; each part is computed once, when needed."""

    def __init__(self, backbone, folder):
        self.backbone, self.folder = backbone, folder
        self.golden = published.golden(backbone)
        self.images = recipe.images(2)
        self.joints2d, self.joints2d_crop = recipe.keypoints(2)

    @functools.cached_property
    def estimator(self):
        return published.estimator(self.folder, self.backbone)

    @functools.cached_property
    def mpi_inf_3dhp(self):
        return published.estimator(self.folder, self.backbone, '3dhp_')

    @functools.cached_property
    def maps(self):
        return self.estimator.feature_maps(self.images)

    @functools.cached_property
    def trained(self):
        lifter, maps = self.estimator.lifter, self.maps
        people = (self.joints2d, self.joints2d_crop, recipe.pose3d(2))
        lifter = (lifter.module, lifter.variables)
        if 'adamw_losses' in self.golden:
            return training.train(*lifter, maps, *people, steps_done=ADAMW_STEPS)
        with pytest.MonkeyPatch.context() as patch:  # One gradient is compiled as for users: W32's.
            patch.setattr(options, 'VECTORS', compiling.quick(options.VECTORS))
            return training.train(*lifter, maps, *people)

    def lift(self, estimator, flip_test=False):
        return estimator.lift(self.images, self.joints2d, self.joints2d_crop, flip_test)


def assert_passed(*checks):
    failed = [check for check in checks if not check.passed]
    assert not failed, failed


@pytest.mark.parity
class Ladder:
    """The rungs that every backbone has."""

    backbone: str

    def test_maps(self, model):
        assert_passed(*comparing.maps(model.maps, model.golden))

    def test_lifter_stages(self, model):
        lifter, crop = model.estimator.lifter, model.joints2d_crop / np.float32([96, 128]) - 1
        stages = jax.jit(lambda *inputs: lifter.module.apply(lifter.variables, *inputs)[1])
        intermediates = stages(model.joints2d, crop, model.maps)
        assert_passed(*comparing.stages(intermediates, model.golden))

    def test_pose(self, model):
        pose, expected = model.lift(model.estimator), model.golden['pose3d']
        assert_passed(comparing.close('pose', pose, expected, comparing.POSE))

    def test_pose_with_flip_test(self, model):
        pose, expected = model.lift(model.estimator, True), model.golden['pose3d_flip_test']
        assert_passed(comparing.close('pose', pose, expected, comparing.POSE))

    def test_loss(self, model):
        loss, expected = model.trained.losses[0], model.golden['loss']
        assert_passed(comparing.close('loss', loss, expected, comparing.LOSS))

    def test_gradient_norms(self, model):
        keys, values = (model.golden[f'gradient_norms/{name}'] for name in ('key', 'value'))
        expected = dict(zip(keys.tolist(), values.tolist(), strict=True))
        assert_passed(comparing.gradients(model.trained.gradient_norms, expected))


class MpiInf3dhp:
    """The model of MPI-INF-3DHP on the same backbone; the recipe gives it the same weights."""

    @pytest.mark.parametrize('flip_test', [False, True])
    def test_pose_of_the_3dhp_model(self, model, flip_test):
        expected = model.golden['3dhp/pose3d' + '_flip_test' * flip_test]
        pose = 1000 * model.lift(model.mpi_inf_3dhp, flip_test)  # published in millimetres
        assert_passed(comparing.close('pose', pose, expected, comparing.POSE))
