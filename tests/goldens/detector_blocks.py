"""Makes detector_blocks.npz with PyTorch: `python -m tests.goldens.detector_blocks`.

Small parts of the detectors, written with PyTorch's own functions on the recipe's weights, so that
a mismatch of a whole network can be traced to its part. Tests read the file and need no PyTorch.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from tests.goldens import recipe

FILE = pathlib.Path(__file__).with_suffix('.npz')


def weight(key, *shape):
    return torch.from_numpy(recipe.weight(key, shape))


def image(name, *shape):
    """Input [B, H, W, C] as PyTorch takes it."""
    return torch.from_numpy(recipe.weight(name, shape)).permute(0, 3, 1, 2)


def grey_levels(height, width):
    """An image not scaled to 1, since the recipe's norms shrink it: deep maps would be flat."""
    images = recipe.images(1, height, width).astype(np.float32) - 128
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def norm(x, key):
    """BatchNorm2d in evaluation mode."""
    leaves = ('running_mean', 'running_var', 'weight', 'bias')
    return F.batch_norm(x, *(weight(f'{key}.{leaf}', x.shape[1]) for leaf in leaves), eps=1e-5)


def conv_norm(x, conv, bn, channels, kernel=1, stride=1):
    w = weight(f'{conv}.weight', channels, x.shape[1], kernel, kernel)
    return norm(F.conv2d(x, w, stride=stride, padding=kernel // 2), bn)


def bottleneck(x, key, channels, expansion=4, stride=1):
    y = F.relu(conv_norm(x, f'{key}.conv1', f'{key}.bn1', channels))
    y = F.relu(conv_norm(y, f'{key}.conv2', f'{key}.bn2', channels, 3, stride))
    y = conv_norm(y, f'{key}.conv3', f'{key}.bn3', channels * expansion)
    width, down = channels * expansion, f'{key}.downsample'
    return F.relu(y + conv_norm(x, f'{down}.0', f'{down}.1', width, 1, stride))


def deconv_norm(x, key, norm_key, channels):
    w = weight(f'{key}.weight', x.shape[1], channels, 4, 4)
    return norm(F.conv_transpose2d(x, w, stride=2, padding=1), norm_key)


def resnet(x, stages=2, prefix=''):
    """Stages of one block, width 4."""
    x = F.relu(conv_norm(x, f'{prefix}conv1', f'{prefix}bn1', 4, 7, 2))
    x, maps = F.max_pool2d(x, 3, 2, 1), []
    for k in range(stages):
        x = bottleneck(x, f'{prefix}layer{k + 1}.0', 4 << k, stride=2 if k else 1)
        maps.append(x)
    return maps


def resize(x, size):
    return F.interpolate(x, size, mode='bilinear', align_corners=True)


def cpn(x, channels=6, joints=3):
    """A CPN on three stages: the global net's features and the maps, coarsest first; heatmaps."""
    features = []
    for k, stage in enumerate(reversed(resnet(x, 3, 'resnet.'))):
        lateral, up = f'global_net.laterals.{k}', f'global_net.upsamples.{k - 1}'
        y = F.relu(conv_norm(stage, f'{lateral}.0', f'{lateral}.1', channels))
        if features:
            y = y + conv_norm(resize(features[-1], y.shape[2:]), f'{up}.1', f'{up}.2', channels)
        features.append(y)
    maps = []
    for k, y in enumerate(features):
        for block in range(2 - k):
            y = bottleneck(y, f'refine_net.cascade.{k}.{block}', channels // 2, expansion=2)
        maps.append(resize(y, features[-1].shape[2:]))
    final = 'refine_net.final_predict'
    y = bottleneck(torch.cat(maps, 1), f'{final}.0', channels // 2, expansion=2)
    return features, maps, conv_norm(y, f'{final}.1', f'{final}.2', joints, 3)


def basic_block(x, key):
    y = F.relu(conv_norm(x, f'{key}.conv1', f'{key}.bn1', x.shape[1], 3))
    return F.relu(x + conv_norm(y, f'{key}.conv2', f'{key}.bn2', x.shape[1], 3))


def fusion(branches, key, outputs):
    """The finest `outputs` sums of all branches."""
    fused = []
    for i, own in enumerate(branches[:outputs]):
        total = own
        for j, x in enumerate(branches):
            way = f'{key}.fuse_layers.{i}.{j}'
            if j > i:
                x = conv_norm(x, f'{way}.0', f'{way}.1', own.shape[1])
                total = total + F.interpolate(x, scale_factor=2 ** (j - i), mode='nearest')
            elif j < i:
                for k in range(i - j - 1):
                    x = F.relu(conv_norm(x, f'{way}.{k}.0', f'{way}.{k}.1', x.shape[1], 3, 2))
                last = f'{way}.{i - j - 1}'
                total = total + conv_norm(x, f'{last}.0', f'{last}.1', own.shape[1], 3, 2)
        fused.append(F.relu(total))
    return fused


def hrnet(x, width=4, joints=5):
    """An HRNet of one block everywhere: {stage: its branches}, the maps and the heatmaps.

    Two modules in the last stage, since maps are taken between the halves of its first.
    """

    def blocks(branches, key):
        return [basic_block(x, f'{key}.branches.{i}.0') for i, x in enumerate(branches)]

    def half(x, key, channels):
        return F.relu(conv_norm(x, f'{key}.0', f'{key}.1', channels, 3, 2))

    for k in (1, 2):
        x = F.relu(conv_norm(x, f'conv{k}', f'bn{k}', width, 3, 2))
    x = bottleneck(x, 'layer1.0', width)
    first = F.relu(conv_norm(x, 'transition1.0.0', 'transition1.0.1', width, 3))
    two = [first, half(x, 'transition1.1.0', 2 * width)]
    two = fusion(blocks(two, 'stage2.0'), 'stage2.0', 2)
    three = [*two, half(two[-1], 'transition2.2.0', 4 * width)]
    three = fusion(blocks(three, 'stage3.0'), 'stage3.0', 3)
    four = [*three, half(three[-1], 'transition3.3.0', 8 * width)]
    before_fusion = blocks(four, 'stage4.0')
    four = blocks(fusion(before_fusion, 'stage4.0', 4), 'stage4.1')
    (finest,) = fusion(four, 'stage4.1', 1)
    head = weight('final_layer.weight', joints, width, 1, 1), weight('final_layer.bias', joints)
    return {2: two, 3: three}, [finest, *before_fusion[1:]], F.conv2d(finest, *head)


def linear(x, key, channels):
    return F.linear(
        x, weight(f'{key}.weight', channels, x.shape[-1]), weight(f'{key}.bias', channels)
    )


def layer_norm(x, key, eps=1e-6):
    width = x.shape[-1]
    scale, bias = weight(f'{key}.weight', width), weight(f'{key}.bias', width)
    return F.layer_norm(x, (width,), scale, bias, eps)


def transformer_block(x, key, heads, mlp_ratio):
    """A pre-norm block on tokens [B, N, C]."""
    width = x.shape[-1]
    qkv = linear(layer_norm(x, f'{key}.norm1'), f'{key}.attn.qkv', 3 * width)
    qkv = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(*qkv).transpose(1, 2).flatten(2)
    x = x + linear(mixed, f'{key}.attn.proj', width)
    hidden = F.gelu(linear(layer_norm(x, f'{key}.norm2'), f'{key}.mlp.fc1', mlp_ratio * width))
    return x + linear(hidden, f'{key}.mlp.fc2', width)


def tokens(x, width=8, heads=2):
    """A vision transformer of one block, before the heatmap head."""
    patch = 'backbone.patch_embed.proj'
    kernel, bias = weight(f'{patch}.weight', width, 3, 16, 16), weight(f'{patch}.bias', width)
    x = F.conv2d(x, kernel, bias, stride=16, padding=2)
    height, breadth = x.shape[2:]
    x = x.flatten(2).transpose(1, 2)
    position = weight('backbone.pos_embed', 1, 1 + x.shape[1], width)
    x = x + position[:, 1:] + position[:, :1]
    x = transformer_block(x, 'backbone.blocks.0', heads, mlp_ratio=4)
    return layer_norm(x, 'backbone.last_norm').transpose(1, 2).unflatten(2, (height, breadth))


def numbered(name, arrays):
    return {f'{name}{i}': array for i, array in enumerate(arrays)}


def main():
    stages, maps, heatmaps = hrnet(grey_levels(64, 32))
    features, refined, refined_heatmaps = cpn(grey_levels(64, 32))
    branches = [image(f'branch{i}', 1, 8 >> i, 12 >> i, c) for i, c in enumerate((3, 5, 4))]
    blocks = {
        'bottleneck': bottleneck(image('x', 1, 6, 8, 5), 'block', 3, expansion=2, stride=2),
        **numbered('resnet/map', resnet(image('images', 1, 64, 32, 3))),
        'deconv': deconv_norm(image('x', 1, 3, 5, 6), 'deconv_layers.0', 'deconv_layers.1', 4),
        'resize': resize(image('x', 1, 3, 5, 2), (12, 10)),
        'tokens': tokens(image('images', 1, 64, 48, 3)),
        'basic_block': basic_block(image('x', 1, 6, 8, 5), 'stage2.0.branches.0.0'),
        **numbered('fusion/branch', fusion(branches, 'stage3.0', 3)),
        **numbered('hrnet/stage2/branch', stages[2]),
        **numbered('hrnet/stage3/branch', stages[3]),
        **numbered('hrnet/map', maps),
        'hrnet/heatmaps': heatmaps,
        **numbered('cpn/feature', features),
        **numbered('cpn/map', refined),
        'cpn/heatmaps': refined_heatmaps,
    }
    np.savez_compressed(FILE, **{k: v.permute(0, 2, 3, 1).numpy() for k, v in blocks.items()})


if __name__ == '__main__':
    main()
