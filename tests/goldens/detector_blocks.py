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


def resnet(x):
    """Two stages of one block, width 4."""
    x = F.relu(conv_norm(x, 'conv1', 'bn1', 4, 7, 2))
    x = F.max_pool2d(x, 3, 2, 1)
    x = bottleneck(x, 'layer1.0', 4)
    return x, bottleneck(x, 'layer2.0', 8, stride=2)


def linear(x, key, channels):
    return F.linear(
        x, weight(f'{key}.weight', channels, x.shape[-1]), weight(f'{key}.bias', channels)
    )


def layer_norm(x, key):
    width = x.shape[-1]
    scale, bias = weight(f'{key}.weight', width), weight(f'{key}.bias', width)
    return F.layer_norm(x, (width,), scale, bias, eps=1e-6)


def tokens(x, width=8, heads=2):
    """A vision transformer of one block, before the heatmap head."""
    patch = 'backbone.patch_embed.proj'
    kernel, bias = weight(f'{patch}.weight', width, 3, 16, 16), weight(f'{patch}.bias', width)
    x = F.conv2d(x, kernel, bias, stride=16, padding=2)
    height, breadth = x.shape[2:]
    x = x.flatten(2).transpose(1, 2)
    position = weight('backbone.pos_embed', 1, 1 + x.shape[1], width)
    x = x + position[:, 1:] + position[:, :1]
    block = 'backbone.blocks.0'
    qkv = linear(layer_norm(x, f'{block}.norm1'), f'{block}.attn.qkv', 3 * width)
    qkv = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(*qkv).transpose(1, 2).flatten(2)
    x = x + linear(mixed, f'{block}.attn.proj', width)
    hidden = F.gelu(linear(layer_norm(x, f'{block}.norm2'), f'{block}.mlp.fc1', 4 * width))
    x = x + linear(hidden, f'{block}.mlp.fc2', width)
    return layer_norm(x, 'backbone.last_norm').transpose(1, 2).unflatten(2, (height, breadth))


def main():
    stages = resnet(image('images', 1, 64, 32, 3))
    blocks = {
        'bottleneck': bottleneck(image('x', 1, 6, 8, 5), 'block', 3, expansion=2, stride=2),
        'resnet/map0': stages[0],
        'resnet/map1': stages[1],
        'deconv': deconv_norm(image('x', 1, 3, 5, 6), 'deconv_layers.0', 'deconv_layers.1', 4),
        'resize': F.interpolate(
            image('x', 1, 3, 5, 2), (12, 10), mode='bilinear', align_corners=True
        ),
        'tokens': tokens(image('images', 1, 64, 48, 3)),
    }
    np.savez_compressed(FILE, **{k: v.permute(0, 2, 3, 1).numpy() for k, v in blocks.items()})


if __name__ == '__main__':
    main()
