"""Tables and files of results hold the numbers that were computed."""

import json
import re

import numpy as np
import pytest

from capf_jax.scoring import joints2d, mean_pose, poses, report


def labels(**changes):
    """Six samples: two of 'sit', four of 'walk'; two videos of three frames."""
    return {
        'subject': np.repeat('S9', 6),
        'action': np.array(['sit', 'sit', 'walk', 'walk', 'walk', 'walk']),
        'sequence': np.array(['a', 'a', 'b', 'b', 'b', 'b']),
        'camera': np.repeat('1', 6),
        'frame': np.array([0, 1, 0, 1, 2, 3]),
    } | changes


def result(input_error_px=None, **changes):
    """Every joint of 'sit' is 30 mm off, every joint of 'walk' 60 mm."""
    targets = np.random.default_rng(0).normal(size=(6, 17, 3))
    off = np.array([0.03, 0.03, 0.06, 0.06, 0.06, 0.06])[:, None, None] * [1, 0, 0]
    return poses.pose_result(
        targets + off, targets, labels(**changes), {'split': 'test'}, input_error_px=input_error_px
    )


def test_errors_are_in_millimetres():
    np.testing.assert_allclose(result().errors['mpjpe'], [30, 30, 60, 60, 60, 60])


def test_the_mean_over_frames_weighs_every_sample_alike():
    assert result().mean_over_frames['mpjpe'] == pytest.approx(50)


def test_the_mean_over_actions_weighs_every_action_alike():
    assert result().mean_over_actions['mpjpe'] == pytest.approx(45)


def test_mpjve_is_left_out_where_no_frame_follows_another():
    assert 'mpjve' not in result(frame=np.arange(0, 12, 2)).errors


def test_mpjve_never_crosses_from_one_video_to_the_next():
    # The error jumps by 30 mm between the videos and nowhere else.
    assert result().mean_over_frames['mpjve'] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize('name', ['subject', 'action', 'sequence', 'camera'])
def test_a_video_is_one_subject_action_sequence_and_camera(name):
    same = {k: np.repeat('x', 2) for k in ('subject', 'action', 'sequence', 'camera')}
    ids = poses.videos(same | {name: np.array(['x', 'y']), 'frame': np.zeros(2)})
    assert ids[0] != ids[1]


def test_a_prediction_that_is_not_finite_is_no_result():
    predictions = np.zeros((6, 17, 3))
    predictions[4, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r'1 of 6 predictions are not finite, .* sample 4'):
        poses.pose_result(predictions, np.zeros((6, 17, 3)), labels(), {})


def test_an_empty_split_is_named():
    with pytest.raises(ValueError, match='no sample'):
        poses.pose_result(np.zeros((0, 17, 3)), np.zeros((0, 17, 3)), {}, {})


def test_the_table_has_a_row_for_each_action_and_both_averages():
    rows = [line.split('  ')[0] for line in result().table('action').splitlines()]
    assert rows[0].strip() == 'action'
    assert [row.strip() for row in rows if row.strip('- ')][1:] == [
        'sit',
        'walk',
        'mean of 2 actions',
        'mean of frames',
    ]


def test_the_table_is_by_the_first_label_that_differs():
    assert poses.default_group(labels(action=np.repeat('walk', 6))) == 'sequence'


@pytest.mark.parametrize(
    ('form', 'line'),
    [
        ('text', r'mean of 2 actions +6 +45\.0'),
        ('markdown', r'\| mean of 2 actions +\| +6 \| +45\.0 \|'),
        ('latex', r' mean of 2 actions +& +6 & +45\.0'),
    ],
)
def test_a_table_comes_as_text_markdown_and_latex(form, line):
    assert re.search(line, result().table('action', form))


def test_markdown_has_one_line_under_the_header_and_no_other():
    lines = result().table('action', 'markdown').splitlines()
    assert [set(line) <= set('|:-') for line in lines] == [False, True] + 4 * [False]


def test_latex_shows_labels_as_they_are_and_the_protocol_as_comments():
    text = report.words(result(action=np.repeat('a_b%', 6)), 'action', 'latex')
    assert r'a\_b\%' in text
    assert '\n% split ' in text


def test_frames_with_a_large_2d_error_have_a_row_and_an_entry_of_their_own():
    outcome = result(input_error_px=np.array([5.0, 5.1, 0, 0, 0, 6]))
    subset = outcome.to_json()['subsets']['2D error > 5 px']
    assert (subset['samples'], subset['mpjpe']) == (2, pytest.approx(45))
    assert re.search(r'2D error > 5 px +2 +45\.0', outcome.table())


def test_numbers_as_labels_stay_words_in_the_table():
    assert '007' in result(action=np.repeat('007', 6)).table('action')


def test_the_conditions_say_what_was_counted():
    conditions = result().conditions
    assert (conditions['samples'], conditions['joints'], conditions['split']) == (6, 17, 'test')


def test_the_json_file_holds_what_the_table_says(tmp_path):
    path = report.write_json(tmp_path / 'new' / 'result.json', result().to_json())
    content = json.loads(path.read_text())
    assert content['groups']['action']['walk']['mpjpe'] == pytest.approx(60)


def test_missing_numbers_are_null_in_json(tmp_path):
    path = report.write_json(tmp_path / 'a.json', {'a': [np.float32(np.nan), np.int64(1)]})
    assert json.loads(path.read_text()) == {'a': [None, 1]}


def test_writing_leaves_no_other_file_behind(tmp_path):
    report.write_json(tmp_path / 'a.json', {})
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']


def test_the_mean_pose_weighs_poses_and_not_batches():
    batches = [np.zeros((1, 2, 3), np.float32), np.full((3, 2, 3), 4, np.float32)]
    np.testing.assert_array_equal(mean_pose.mean_pose(batches, 2), np.full((2, 3), 3))


def test_the_mean_of_no_pose_is_an_error():
    with pytest.raises(ValueError, match='no pose'):
        mean_pose.mean_pose([], 17)


def test_the_conditions_read_as_words():
    text = report.describe({'flip_test': True, 'camera': None, 'versions': {'jax': '0.10'}})
    assert text.splitlines() == ['flip test  yes', 'camera     -', 'versions   jax 0.10']


def test_2d_errors_are_in_pixels_of_a_thousand_pixel_image():
    # The crop shows an image 500 px wide at half its size: 1 px of the crop is 2 px of the
    # image, and 4 px of an image 1000 px wide.
    affine = np.array([[[0, -0.5, 7], [0.5, 0, 9]]])  # turned by a quarter, too
    predictions = np.array([[[3, 4.0], [1, 0]]])
    errors = joints2d.joints_result(
        predictions, np.zeros((1, 2, 2)), affine, np.array([500]), ('a', 'b'), {}
    ).errors
    np.testing.assert_allclose(errors, [[20, 4]])


def test_the_detectors_table_has_a_row_for_each_joint():
    affine = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    outcome = joints2d.joints_result(
        np.ones((1, 2, 2)), np.zeros((1, 2, 2)), affine, np.array([1000]), ('hip', 'knee'), {}
    )
    lines = outcome.table().splitlines()
    assert [line.split('  ')[0] for line in lines if line.strip('- ')] == [
        'joint',
        'hip',
        'knee',
        'all joints',
    ]
