"""Which frames the windows of a built dataset hold, in words that a test can compare."""

import numpy as np

from data_pipeline import loader, windows


def window_frames(builder, split, size=3):
    """{(subject, sequence, camera, frame): the same of each frame of the window around it}."""
    labels = loader.labels(builder, split)
    names = [
        tuple(map(str, name))
        for name in zip(labels.subject, labels.sequence, labels.camera, labels.frame, strict=True)
    ]
    runs = windows.runs_of(windows.videos_of(builder, split))
    positions = runs.windows(np.arange(len(names)), size)
    assert len(set(names)) == len(names)
    return {
        name: [names[place] for place in row] for name, row in zip(names, positions, strict=True)
    }


def padded(subject, sequence, camera, frames):
    """What windows of three frames of one video are: its ends are repeated."""
    video = [(subject, sequence, camera, str(frame)) for frame in frames]
    neighbours = [video[0], *video, video[-1]]
    return {name: neighbours[place : place + 3] for place, name in enumerate(video)}
