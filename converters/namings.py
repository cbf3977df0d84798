"""Whose names the keys of a published file have: the same network is published under several."""

from __future__ import annotations

OFFICIAL = 'official'
MMPOSE = 'mmpose'
MMPOSE_1 = 'mmpose_1'
TRANSFORMERS = 'transformers'
TENSORFLOW = 'tensorflow'
# What the user reads of each.
TITLES = {
    OFFICIAL: 'the official names',
    MMPOSE: "MMPose's names of before version 1",
    MMPOSE_1: 'the names of MMPose 1 and later',
    TRANSFORMERS: "the names of Hugging Face's transformers",
    TENSORFLOW: "the names of TensorFlow's graph",
}
BACKBONE = 'backbone.'  # before the keys of the feature network in MMPose's files, and others
# Before the keys of the heatmap head in MMPose's files; there is no backbone's prefix before it.
MMPOSE_HEADS = {MMPOSE: 'keypoint_head.', MMPOSE_1: 'head.'}
