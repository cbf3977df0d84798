"""The TFDS builder of a user's own photographs or videos with 3D joints."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import logging
import pathlib
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow_datasets as tfds
import tqdm
from ml_collections import ConfigDict

from capf_jax.pose import crops
from data_pipeline import records, shards
from data_pipeline.own_data import annotations, checks, images
from data_pipeline.own_data.annotations import AnnotationError, Entry

_SHARD = 4096  # entries in a file of the dataset
_SKIPPED = 'skipped_images'  # in the dataset's metadata, where there are any


@dataclasses.dataclass(frozen=True)
class Fields:
    """The fields of `config.data.builder` for own data."""

    source: str = ''  # folder that holds annotations.json
    height: int = 256  # of the crops, pixels
    width: int = 192  # of the crops, pixels
    jpeg_quality: int = 95  # of the stored crops, 1 to 100
    margin: float = 1.25  # size of a box made from 2D joints over the smallest that holds them
    test_cameras: tuple[str, ...] = ()  # cameras, subjects and sequences of the test split; where
    test_subjects: tuple[str, ...] = ()  # all three are empty, every entry's own `split` decides
    test_sequences: tuple[str, ...] = ()
    # Share of the person's size that projected 3D joints may lie (median) from the 2D joints.
    max_projection_distance: float = 0.25


@dataclasses.dataclass(eq=False, kw_only=True)
class OwnDataConfig(tfds.core.BuilderConfig):
    """One dataset: what it is made of, under a name that changes with it."""

    fields: Fields = dataclasses.field(default_factory=Fields)
    skip_bad_images: bool = False


class Builder(tfds.core.ShardBasedBuilder):
    """Crops every person of a checked annotation file once and stores it as a Record.

    Records are stored by file name, then frame. A GeneratorBasedBuilder would sort them by keys,
    for which it needs TensorFlow as soon as a split exceeds 1000 MiB.
    """

    name = 'own_data'
    VERSION = tfds.core.Version('1.0.0')

    def _info(self) -> tfds.core.DatasetInfo:
        fields = self.builder_config.fields
        skeleton = annotations.read_skeleton(annotations.locate(fields.source))
        return tfds.core.DatasetInfo(
            builder=self,
            features=records.features(len(skeleton), fields.height, fields.width),
            metadata=tfds.core.MetadataDict(
                skeleton=skeleton.name, box_source='annotated box, else the detected 2D joints'
            ),
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, list[Callable[[], shards.Examples]]]:
        del dl_manager  # nothing is downloaded
        fields = self.builder_config.fields
        source = annotations.locate(fields.source)
        splits = _read_checked(source, fields, self.builder_config.skip_bad_images)
        return {
            split: shards.cut(self._generate_examples(source, split, members), len(members), _SHARD)
            for split, members in splits.items()
        }

    def _generate_examples(
        self, source: pathlib.Path, split: str, entries: list[Entry]
    ) -> shards.Examples:
        """(key, Record as an example) of every entry whose image decodes.

        Raises:
          AnnotationError: images do not decode and are not to be skipped; all are listed.
          UnreadableError: no image decodes.
        """
        config = self.builder_config
        bad: list[annotations.Problem] = []
        pictures = images.read(source, entries)
        for entry, image in tqdm.tqdm(pictures, f'{split} crops', len(entries), disable=None):
            if isinstance(image, images.UnreadableError):
                bad.append(checks.unreadable(entry, image))
                if config.skip_bad_images:
                    logging.warning('%s is skipped: %s', entry.where, image)
            elif config.skip_bad_images or not bad:  # else the rest is only looked at
                yield entry.number, records.to_example(make_record(entry, image, config.fields))
        if bad and not config.skip_bad_images:
            raise AnnotationError(source, bad)
        if len(bad) == len(entries):
            raise images.UnreadableError(f'no image of the split {split!r} decodes')
        if bad:
            noted = self.info.metadata
            noted[_SKIPPED] = noted.get(_SKIPPED, 0) + len(bad)
            logging.warning(
                '%d of %d entries of the split %r were skipped, their images do not decode',
                len(bad),
                len(entries),
                split,
            )


def _read_checked(
    source: pathlib.Path, fields: Fields, skip_bad_images: bool
) -> dict[str, list[Entry]]:
    """Entries by split; AnnotationError lists everything that is wrong."""
    content, problems = annotations.read(source)
    problems = problems + checks.check(
        content,
        source,
        max_projection_distance=fields.max_projection_distance,
        skip_bad_images=skip_bad_images,
    )
    rules = {
        'camera': fields.test_cameras,
        'subject': fields.test_subjects,
        'sequence': fields.test_sequences,
    }
    splits, split_problems = checks.assign_splits(content.entries, rules)
    if not content.entries:  # all are misread already: nothing is to be said of splits
        split_problems = []
    if problems or split_problems:
        raise AnnotationError(source, problems + split_problems)
    train, test = ({entry.sequence for entry in splits[name]} for name in annotations.SPLITS)
    if shared := sorted(train & test - {''}):
        logging.warning(
            'frames of %d sequences, such as %r, are in both splits: neighbouring frames are '
            'alike, and the test flatters',
            len(shared),
            shared[0],
        )
    return splits


def layout(source: str | pathlib.Path) -> list[str]:
    """All that is missing or wrong in a folder of own data, for `data_pipeline.check`.

    Which entries are for testing is left out: the config may say it.
    """
    try:
        folder = annotations.locate(str(source))
        _read_checked(folder, Fields(), skip_bad_images=False)
    except AnnotationError as error:
        rest = [problem for problem in error.problems if problem.kind != 'split']
        return [str(AnnotationError(folder, rest))] if rest else []
    except FileNotFoundError as error:
        return [str(error)]
    return []


def make_record(entry: Entry, image: np.ndarray, fields: Fields) -> records.Record:
    """Crop one person.

    Args:
      entry: what the annotation file says.
      image: [H, W, 3] uint8, BGR.
      fields: size, quality and box margin of the crop.

    Returns:
      The Record. Its true 2D joints are the projected 3D joints, or, without a camera, the
      detected ones; its intrinsics are zeros without a camera.
    """
    crop_size = fields.width, fields.height
    if entry.box is not None:
        centre = entry.box[:2] + entry.box[2:] / 2
        # The crop's aspect ratio is fixed: the box grows on its shorter side.
        width = max(entry.box[2], entry.box[3] * fields.width / fields.height)
    else:
        detected = entry.joints2d[entry.confidence > 0]
        centre, width = crops.joints_box(detected, crop_size, fields.margin)
    affine = crops.box_affine(centre, width, crop_size)
    crop = crops.crop_image(*_shrink(image, affine), crop_size)
    encoded = cv2.imencode('.jpg', crop, [cv2.IMWRITE_JPEG_QUALITY, fields.jpeg_quality])[1]
    camera = entry.camera
    truth = entry.joints2d if camera is None else checks.project(camera, entry.joints3d)
    return records.Record(
        image=encoded.tobytes(),
        joints2d_detected=entry.joints2d,
        joints2d_truth=truth,
        confidence=entry.confidence,
        joints3d=entry.joints3d / 1000,
        intrinsics=np.zeros(4) if camera is None else camera.intrinsics,
        image_size=(image.shape[1], image.shape[0]),
        affine=affine,
        subject=entry.subject,
        action=entry.action,
        sequence=entry.sequence,
        camera=camera.name if camera else '',
        frame=entry.frame,
    )


def _shrink(image: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A smaller image, and the affine from it to the same crop.

    Bilinear sampling at less than half the size skips pixels: a thin arm breaks into dots.
    Whole blocks of pixels are averaged first.
    """
    block = int(1 / affine[0, 0])
    if block < 2:
        return image, affine
    height, width = (side // block for side in image.shape[:2])
    whole_blocks = image[: height * block, : width * block]
    small = cv2.resize(whole_blocks, (width, height), interpolation=cv2.INTER_AREA)
    # The middle of small pixel i is the middle of its block, i * block + (block - 1) / 2.
    linear, shift = affine[:, :2], affine[:, 2:]
    offset = np.full((2, 1), (block - 1) / 2)
    return small, np.concatenate([linear * block, shift + linear @ offset], axis=1)


def builder_from_config(data: ConfigDict) -> Builder:
    """The builder of `config.data`, whose dataset's name changes with fields and annotations.

    `data.bad_image` is no part of the name: a run may go on with another one, on the same dataset.

    Raises:
      FileNotFoundError: the source folder or its annotation file is missing.
      AnnotationError: the annotation file cannot be read at all.
      ValueError: `data.builder` has a field that does not exist, or a bad value; or the dataset
        was built without images that do not decode, and these are to be errors.
    """
    fields = _fields(data.builder)
    skip = data.bad_image == 'skip'
    source = annotations.locate(fields.source)
    # The folder's own name is no part of the dataset: what it holds is.
    made_of = dataclasses.asdict(fields) | {'source': annotations.content_hash(source)}
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    config = OwnDataConfig(
        name=f'{fields.height}x{fields.width}-{digest[:12]}',
        description=f'Own data from {fields.source}',
        fields=fields,
        skip_bad_images=skip,
    )
    builder = Builder(data_dir=data.dir, config=config, file_format='array_record')
    left_out = _left_out(builder)
    if left_out and not skip:
        raise ValueError(
            f'the dataset in {builder.data_dir} was built without {left_out} entries whose images '
            "do not decode; set config.data.bad_image = 'skip' to use it, or mend them, delete "
            'this folder and build it again'
        )
    return builder


def _left_out(builder: Builder) -> int:
    """Entries that the dataset lacks, since their images do not decode; 0 while it is not built."""
    try:
        return dict(builder.info.metadata.items()).get(_SKIPPED, 0)  # not get(): it reads no file
    except ValueError:  # metadata.json is damaged; `datasets.check_whole` says so
        return 0


def _fields(given: ConfigDict) -> Fields:
    known = {field.name: field for field in dataclasses.fields(Fields)}
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.0)[0]
            raise ValueError(
                f'config.data.builder.{name} does not exist for own_data; the nearest is {near!r}'
            )
    values = {
        name: tuple(value) if isinstance(value, list | tuple) else value
        for name, value in given.items()
    }
    fields = Fields(**values)
    for name in ('test_cameras', 'test_subjects', 'test_sequences'):
        if isinstance(getattr(fields, name), str):
            raise ValueError(f'config.data.builder.{name} must be a tuple of names, not one text')
    if min(fields.height, fields.width) < 2 or not 1 <= fields.jpeg_quality <= 100:
        raise ValueError(
            'config.data.builder needs height and width of at least 2 pixels and a '
            f'jpeg_quality of 1 to 100, got {fields.height}, {fields.width}, {fields.jpeg_quality}'
        )
    return fields
