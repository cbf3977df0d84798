"""A folder of an export: the files, the proof and the manifest, written and compared.

For a part PART there are PART.stablehlo or PART.onnx or both, PART.float16.onnx and PART.int8.onnx
on demand, PART.parity.npz and, last of all, PART.json, the manifest.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

import capf_jax
from capf_jax.errors import UserError
from capf_jax.exporting import parity
from capf_jax.exporting.formats import FORMATS
from capf_jax.exporting.onnx_types import FLOAT32, TYPES
from capf_jax.exporting.parity import Difference
from capf_jax.exporting.tensors import PARTS, Export, Tensor
from capf_jax.inference import weight_files
from capf_jax.runtime import files

PARITY, MANIFEST = '.parity.npz', '.json'


def write(
    exported: Export,
    formats: Sequence[str],
    folder: files.AnyPath,
    onnx_types: Sequence[str] = (FLOAT32,),
) -> files.AnyPath:
    """Writes a network in these formats, with its proof; returns the manifest's file.

    Args:
      exported: the network.
      formats: names of `FORMATS`.
      folder: where to.
      onnx_types: names of `TYPES`, for the formats that can be had in several.

    Raises:
      UserError: a format needs a package that is not installed, or the folder cannot be written to.
    """
    for name in formats:
        FORMATS[name].check_installed()
    try:
        files.check_writable(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f'the folder {folder} cannot be written to ({error.strerror}): name another by --out'
        ) from None
    written = []
    for name in formats:
        form = FORMATS[name]
        details, content = {**form.details, 'versions': form.versions()}, form.content(exported)
        if form.in_type is None:
            entry = _write(folder / f'{exported.part}{form.ending}', content)
            written.append({'format': name, 'type': FLOAT32, **entry, **details})
            continue
        for type_name in onnx_types:
            its_type = TYPES[type_name]
            path = folder / f'{exported.part}{its_type.ending}{form.ending}'
            entry = _write(path, form.in_type(content, its_type))
            written.append(
                {'format': name, 'type': type_name, **entry, **details, **its_type.details}
            )
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **parity.samples(exported))
    proof = _write(folder / f'{exported.part}{PARITY}', content.getvalue())
    path = folder / f'{exported.part}{MANIFEST}'
    files.write_json(path, {**_described(exported), 'files': written, 'parity': proof})
    return path


def manifests(folder: files.AnyPath) -> list[files.AnyPath]:
    """The manifests in a folder, one a part.

    Raises:
      UserError: there is none.
    """
    paths = [folder / f'{part}{MANIFEST}' for part in PARTS]
    present = [path for path in paths if path.is_file()]
    if not present:
        raise UserError(
            f'{folder} holds no export, whose manifest is one of '
            f'{", ".join(path.name for path in paths)}: name the folder of --out'
        )
    return present


def check(path: files.AnyPath) -> dict[str, list[Difference]]:
    """Compares every file of a manifest with JAX's outputs in its proof.

    Args:
      path: the manifest.

    Returns:
      By the name of each file its differences.

    Raises:
      UserError: the manifest, or a file that it names, is not what was written.
    """
    manifest = files.read_json(path)
    try:
        arrays = _read(path.parent, manifest['parity'])
        with np.load(io.BytesIO(arrays), allow_pickle=False) as proof:
            samples = dict(proof)
        inputs, outputs, differences = manifest['inputs'], manifest['outputs'], {}
        for entry in manifest['files']:
            _read(path.parent, entry)
            budget = TYPES[entry.get('type', FLOAT32)].budget
            with files.local(path.parent / entry['file']) as copy:
                run = FORMATS[entry['format']].opened(copy)
                differences[entry['file']] = parity.compare(run, samples, inputs, outputs, budget)
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(f'{path} is no manifest of an export ({error}): export again') from error
    return differences


def _write(path: files.AnyPath, content: bytes) -> dict[str, Any]:
    """Writes a file, and describes it for the manifest."""
    with files.whole(path) as temporary:
        temporary.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return {'file': path.name, 'bytes': len(content), 'sha256': digest}


def _read(folder: files.AnyPath, entry: dict[str, Any]) -> bytes:
    """The content of a file that a manifest names.

    Raises:
      UserError: it is gone, or has another content.
    """
    path = folder / pathlib.PurePath(entry['file']).name
    if not path.is_file():
        raise UserError(f'{path} is named by the manifest and is not there: export again')
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry['sha256']:
        raise UserError(f'{path} has not the SHA-256 that its manifest says: export again')
    return content


def _described(exported: Export) -> dict[str, Any]:
    """What a manifest says of a network, whatever its format."""
    estimator = exported.estimator
    source = files.user_path(estimator.path)
    detector, size = estimator.detector, exported.crop
    crop, joints_of_detector = None, None
    if detector is not None and detector.entry is not None and size is not None:
        crop = {
            'height': size[0],
            'width': size[1],
            'layout': 'batch, rows, columns, channels',
            'channels': 'RGB, uint8, 0 to 255',
            'mean': list(detector.entry.mean),
            'deviation': list(detector.entry.deviation),
            'normalisation': (
                'the network itself divides by 255, subtracts the mean and divides by the '
                'deviation: give it the pixels as they are'
            ),
        }
        joints_of_detector = detector.joints
    skeleton, is_detector = estimator.skeleton, exported.outputs[0].name != 'pose'
    joints = joints_of_detector if is_detector else skeleton
    return {
        'written_by': f'capf_jax {capf_jax.__version__}',
        'date': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
        'weights': {
            'file': pathlib.PurePath(os.fspath(estimator.path)).name,
            'sha256': hashlib.sha256(source.read_bytes()).hexdigest(),
            weight_files.BESIDE: estimator.metadata.get(weight_files.BESIDE),
        },
        'part': exported.part,
        'kind': estimator.metadata['kind'],
        'joints': None if joints is None else list(joints.joints),
        'bones': None if joints is None else [list(pair) for pair in joints.bones],
        'root': None if is_detector else skeleton.joints[skeleton.root],
        'parents': None if is_detector else list(skeleton.parents),
        'crop': crop,
        'inputs': [_tensor(one) for one in exported.inputs],
        'outputs': [
            {**_tensor(one), 'tolerance': one.tolerance, 'tolerance_is': one.tolerance_is}
            for one in exported.outputs
        ],
        'python': '.'.join(map(str, sys.version_info[:3])),
    }


def _tensor(one: Tensor) -> dict[str, Any]:
    return {
        'name': one.name,
        'shape': ['batch', *one.shape],
        'dtype': one.dtype,
        'unit': one.unit,
        'meaning': one.meaning,
    }
