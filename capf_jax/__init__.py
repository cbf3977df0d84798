"""Context-Aware PoseFormer in JAX: 3D human pose from one image.

Importing this package imports no JAX, so data workers can use it freely.
"""

__version__ = '0.1.0'
