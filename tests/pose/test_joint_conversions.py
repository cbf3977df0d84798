"""Rules move, scale and mirror with the person; the published ones do what was published."""

import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.pose import joint_conversions, skeletons
from capf_jax.pose.flip import flip_joints

PAIRS = [(source, target, rule) for (source, target), rules in joint_conversions.RULES.items()
         for rule in rules]  # fmt: skip
EVERY = pytest.mark.parametrize(('source', 'target', 'rule'), PAIRS)


def people(skeleton, size=3):
    return np.random.default_rng(0).uniform(0, 256, (size, len(skeletons.get(skeleton)), 2))


@EVERY
def test_weights_of_every_joint_sum_to_one(source, target, rule):
    weights = joint_conversions.get(source, target, rule).weights
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


@EVERY
def test_a_mirrored_person_gives_the_mirrored_joints(source, target, rule):
    conversion, joints = joint_conversions.get(source, target, rule), people(source)
    before = conversion.joints(flip_joints(joints, 255, skeletons.get(source)))
    after = flip_joints(conversion.joints(joints), 255, skeletons.get(target))
    np.testing.assert_allclose(before, after, atol=0.05)  # weights have four digits


@EVERY
def test_joints_of_one_name_stay_near_their_place(source, target, rule):
    one, other = skeletons.get(source), skeletons.get(target)
    weights = joint_conversions.get(source, target, rule).weights.mean(axis=-1)
    for name in ('left_knee', 'right_wrist', 'left_shoulder'):
        assert weights[other.index(name), one.index(name)] > 0.5


@pytest.mark.parametrize('asarray', [np.asarray, jnp.asarray])
def test_arrays_keep_their_kind_and_dtype(asarray):
    conversion = joint_conversions.get('coco17', 'h36m17', 'gast')
    joints = asarray(people('coco17').astype(np.float32))
    result, sure = conversion.joints(joints), conversion.confidence(joints[..., 0])
    assert isinstance(result, type(joints))
    assert result.dtype == sure.dtype == np.float32
    assert (result.shape, sure.shape) == ((3, 17, 2), (3, 17))


COCO, H36M = skeletons.COCO17.index, skeletons.H36M17.index


def test_motionbert_takes_middles():
    joints = people('coco17')
    result = joint_conversions.get('coco17', 'h36m17', 'motionbert').joints(joints)
    hips = (joints[:, COCO('left_hip')] + joints[:, COCO('right_hip')]) / 2
    shoulders = (joints[:, COCO('left_shoulder')] + joints[:, COCO('right_shoulder')]) / 2
    np.testing.assert_allclose(result[:, H36M('spine')], (hips + shoulders) / 2)
    np.testing.assert_allclose(
        result[:, H36M('head')], (joints[:, COCO('left_eye')] + joints[:, COCO('right_eye')]) / 2
    )


def test_gast_lifts_the_head_by_the_height_of_the_eyes_above_the_nose():
    joints = people('coco17')
    result = joint_conversions.get('coco17', 'h36m17', 'gast').joints(joints)
    names = ('left_eye', 'right_eye', 'left_ear', 'right_ear')
    x = np.mean([joints[:, COCO(name), 0] for name in names], axis=0)
    y = joints[:, 1, 1] + joints[:, 2, 1] - joints[:, 0, 1]
    np.testing.assert_allclose(result[:, H36M('head')], np.stack([x, y], axis=-1))


def test_gast_moves_the_spine_to_where_its_demo_does():
    joints = people('coco17')
    shoulders, hips = joints[:, 5:7].mean(axis=1), joints[:, 11:13].mean(axis=1)
    neck = shoulders + (joints[:, 0] - shoulders) / 3
    middle = (shoulders + hips) / 2
    expected = middle[:, 0] + 2 * (middle[:, 0] - (hips + neck)[:, 0] / 2)
    result = joint_conversions.get('coco17', 'h36m17', 'gast').joints(joints)
    np.testing.assert_allclose(result[:, H36M('spine')], np.stack([expected, middle[:, 1]], -1))


def test_confidence_is_the_mean_of_the_joints_that_are_used():
    confidence = np.ones((1, 17))
    confidence[0, COCO('left_hip')] = 0.2
    result = joint_conversions.get('coco17', 'h36m17', 'motionbert').confidence(confidence)
    assert result[0, H36M('pelvis')] == pytest.approx(0.6)
    assert result[0, H36M('left_hip')] == pytest.approx(0.2)
    assert result[0, H36M('nose')] == pytest.approx(1)


def test_a_skeleton_with_all_joints_by_name_needs_no_rule():
    conversion = joint_conversions.get('h36m17_surface', 'h36m17', 'motionbert')
    joints = people('h36m17_surface')
    np.testing.assert_array_equal(conversion.joints(joints), joints[:, :17])
    assert conversion.rule == joint_conversions.BY_NAME


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(ValueError, match="nearest is 'motionbert'"):
        joint_conversions.get('coco17', 'h36m17', 'motionbret')


def test_skeletons_without_a_rule_are_one_sentence():
    with pytest.raises(ValueError, match='no rule that makes the joints'):
        joint_conversions.get('mpi_inf_3dhp17', 'coco17')


def test_published_rules_are_those_that_differ_each_once():
    fitted, gast = (joint_conversions.get('coco17', 'h36m17', rule) for rule in ('', 'gast'))
    assert [rule.rule for rule in joint_conversions.published(fitted)] == ['motionbert', 'gast']
    assert [rule.rule for rule in joint_conversions.published(gast)] == ['motionbert']


@pytest.mark.parametrize('asarray', [np.asarray, jnp.asarray])
def test_a_mixture_gives_a_share_of_the_people_another_rule(asarray):
    rule = joint_conversions.get('coco17', 'h36m17')
    others = joint_conversions.published(rule)
    numbers = asarray(np.arange(4000, dtype=np.int32))
    choice = np.asarray(joint_conversions.Mixture(rule, others, 0.3).choice(numbers))
    assert np.bincount(choice) / 4000 == pytest.approx([0.7, 0.15, 0.15], abs=0.02)
    joints = asarray(people('coco17', 40))
    confidence = asarray(np.random.default_rng(1).uniform(0, 1, (40, 17)))
    mixture = joint_conversions.Mixture(rule, others, 0.3)
    mixed, sure = mixture.convert(joints, confidence, numbers[:40])
    for person, number in enumerate(choice[:40]):
        own = (rule, *others)[number]
        np.testing.assert_allclose(mixed[person], own.joints(joints)[person], rtol=1e-6)
        np.testing.assert_allclose(sure[person], own.confidence(confidence)[person], rtol=1e-6)


def test_people_to_test_on_get_no_other_rule():
    rule = joint_conversions.get('coco17', 'h36m17')
    mixture = joint_conversions.Mixture(rule, joint_conversions.published(rule), 1.0)
    assert set(mixture.choice(np.arange(50, dtype=np.int32)).tolist()) == {1, 2}
    assert not mixture.choice(np.full(50, -1, np.int32)).any()
