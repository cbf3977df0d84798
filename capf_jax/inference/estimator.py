"""`Estimator`: one weight file, ready to use. Everything it needs to know is in the file."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference import abilities, input_checks, network_programs, networks, sequences
from capf_jax.inference.networks import Network
from capf_jax.inference.weight_files import load_weights
from capf_jax.models import ca_pf
from capf_jax.pose import skeletons
from capf_jax.pose.flip import flip_pose
from capf_jax.pose.skeletons import Skeleton

if TYPE_CHECKING:
    from capf_jax.inference.people import People
    from capf_jax.inference.person_boxes import Finder
    from capf_jax.inference.photograph_models import JointDetector
    from capf_jax.inference.tracks import Tracks
    from capf_jax.inference.video.video_stream import Live

LARGEST_BATCH = 64  # larger ones are cut


@dataclasses.dataclass(frozen=True, eq=False)
class Estimator:
    """A detector, a Context-Aware PoseFormer, a CA-PF-S or a PoseFormer, from a weight file.

    Methods take and give NumPy arrays. They are compiled at first use for each of few batch sizes:
    powers of two up to `largest_batch`; batches in between are padded, larger ones cut.

    Attributes:
      path: the weight file.
      metadata: what it says of itself.
      skeleton: the joints J, in order, of all that goes in and comes out; but a detector that does
        not find them all, such as a CA-PF's of COCO, gives those that it finds, `detector.joints`.
      crop_size: (H, W) of the crops; None for any whose sides are multiples of 32.
      detector, lifter, sequence_lifter, projection: the networks that the file holds, None for the
        others.
      precision: of matrix products, as `jax.default_matmul_precision` takes it.
      largest_batch: samples that are run at once.
    """

    path: str
    metadata: Mapping[str, Any]
    skeleton: Skeleton
    crop_size: tuple[int, int] | None
    detector: Network | None = None
    lifter: Network | None = None
    sequence_lifter: Network | None = None
    projection: Network | None = None
    precision: str = 'highest'
    largest_batch: int = LARGEST_BATCH

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        *,
        precision: str = 'highest',
        largest_batch: int = LARGEST_BATCH,
    ) -> Estimator:
        """Builds everything from a file of `converters.convert` or of a training run.

        Args:
          path: the safetensors file.
          precision: of matrix products: 'highest' is float32; 'default' is faster on GPU and TPU.
          largest_batch: samples that are run at once; lower it if memory runs out.

        Raises:
          FileNotFoundError: there is no such file.
          UserError: it is no weight file of ours, or it is not whole.
        """
        if largest_batch < 1:
            raise UserError(f'largest_batch is {largest_batch}; it must be at least 1')
        variables, metadata = load_weights(path)
        try:
            return cls(
                path=str(path),
                metadata=metadata,
                **networks.build(variables, metadata),
                skeleton=skeletons.get(metadata['skeleton']),
                crop_size=networks.crop_size(metadata),
                precision=precision,
                largest_batch=largest_batch,
            )
        except ValueError as error:
            raise UserError(f'{path} cannot be used: {error}') from error

    def feature_maps(self, crops: Any) -> tuple[np.ndarray, ...]:
        """The maps that a lifter uses.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.

        Returns:
          One float32 [B, H, W, C] a level.

        Raises:
          UserError: wrong crops, or the file holds no detector.
        """
        detector = abilities.map_maker(self)
        return self._in_batches(
            lambda images: network_programs.maps(detector, self.precision, images),
            input_checks.crops(crops, self.crop_size),
        )

    def heatmaps(self, crops: Any, *, flip_test: bool = False) -> np.ndarray:
        """Where the joints are.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.
          flip_test: average with those of the mirrored crops, moved by one pixel
            (docs/method.md, Heatmaps and 2D joints).

        Returns:
          float32 [B, H / 4, W / 4, J], of `detector.joints`.

        Raises:
          UserError: wrong crops, or the file holds no detector with a heatmap head.
        """
        detector = abilities.joint_finder(self)
        return self._in_batches(
            lambda images: (
                network_programs.detection(detector, self.precision, images, flip_test).heatmaps
            ),
            input_checks.crops(crops, self.crop_size),
        )

    def joints(self, crops: Any, *, flip_test: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The 2D joints that the detector finds.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.
          flip_test: see `heatmaps`; a detector that refines its joints gives the mean of those of
            the crops and of the mirrored crops.

        Returns:
          Joints [B, J, 2] in pixels of the crop, and confidences [B, J], the peaks' heights; of
          `detector.joints`.

        Raises:
          UserError: wrong crops, or the file holds no detector with a heatmap head.
        """
        detector = abilities.joint_finder(self)
        return self._in_batches(
            lambda images: network_programs.joints(detector, self.precision, images, flip_test),
            input_checks.crops(crops, self.crop_size),
        )

    def lift(
        self, crops: Any, joints2d: Any, joints2d_crop: Any, flip_test: bool = False
    ) -> np.ndarray:
        """3D poses from crops and 2D joints.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.
          joints2d: [B, J, 2], normalised by the image of w x h pixels: x / w * 2 - 1 and
            y / w * 2 - h / w (`capf_jax.pose.normalise.normalise_by_image`).
          joints2d_crop: [B, J, 2], the same joints in pixels of the crop.
          flip_test: average with the prediction for the mirrored person
            (docs/method.md, Training).

        Returns:
          float32 [B, J, 3], metres, camera frame, relative to the skeleton's root.

        Raises:
          UserError: wrong inputs, or the file holds no lifter that takes them.
        """
        lifter = abilities.lifter(self)
        crops = input_checks.crops(crops, self.crop_size)
        shape, size = (len(self.skeleton), 2), crops.shape[1:3]
        joints2d = input_checks.normalised_joints(joints2d, shape)
        joints2d_crop = input_checks.crop_joints(joints2d_crop, shape, size)
        input_checks.same_length(crops=crops, joints2d=joints2d, joints2d_crop=joints2d_crop)

        mirror = self.skeleton if flip_test else None

        def predict(images: Any, by_image: Any, places: Any) -> Any:
            return network_programs.lift(
                lifter, self.detector, self.precision, images, by_image, places, mirror
            )

        return self._in_batches(predict, crops, joints2d, joints2d_crop)

    @property
    def joint_skeleton(self) -> Skeleton | None:
        """What `joints` finds; None of a file without a detector that finds any."""
        detector = self.detector
        if detector is None or detector.entry is None or detector.entry.heatmaps is None:
            return None
        return detector.joints

    @property
    def frame(self) -> str:
        """The frame of the lifter's poses: 'camera', or 'viewing_ray' of the crop's middle.

        Poses of the frame 'camera' come from `lift`, those of 'viewing_ray' from `lift_crops`.
        """
        network = self.lifter or self.sequence_lifter
        whole = None if network is None else network.whole
        return ca_pf.CAMERA if whole is None else whole.frame

    def lift_crops(
        self, crops: Any, joints2d_crop: Any = None, flip_test: bool = True
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """3D poses from crops alone, by files whose `frame` is 'viewing_ray'.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`, each as a camera sees it that is aimed at
            its middle.
          joints2d_crop: [B, J, 2], the skeleton's joints in pixels of the crop; None takes those
            that the detector finds, by the file's own conversion.
          flip_test: average with the prediction for the mirrored crop, for which the detector
            runs again.

        Returns:
          Poses float32 [B, J, 3], metres, in the viewing-ray frame, relative to the skeleton's
          root; the 2D joints that they were made of, [B, J, 2] in pixels of the crop; and their
          confidences [B, J], 1 for joints that were given.

        Raises:
          UserError: wrong inputs, or the file holds no lifter of this frame, or joints must be
            given and are not.
        """
        lifter = abilities.crop_lifter(self, with_joints=joints2d_crop is not None)
        crops = input_checks.crops(crops, self.crop_size)
        shape, size = (len(self.skeleton), 2), crops.shape[1:3]
        arrays: list[Any] = [crops]
        if joints2d_crop is not None:
            arrays.append(input_checks.crop_joints(joints2d_crop, shape, size))
            input_checks.same_length(crops=crops, joints2d_crop=arrays[1])
        mirror = self.skeleton if flip_test else None

        def predict(images: Any, places: Any = None) -> Any:
            return network_programs.lift_crops(
                lifter, self.detector, self.precision, images, places, mirror
            )

        return self._in_batches(predict, *arrays)

    def lift_sequence(
        self,
        joints2d: Any,
        crops: Any = None,
        joints2d_crop: Any = None,
        *,
        contexts: Any = None,
        flip_test: bool = False,
    ) -> np.ndarray:
        """3D poses of the target frames of windows of F frames.

        The target is the middle frame, or the last one where the file says `causal`.

        Args:
          joints2d: [B, F, J, 2], normalised by the image as for `lift`.
          crops: uint8 RGB [B, F, H, W, 3] of `crop_size`; for a PoseFormer None.
          joints2d_crop: [B, F, J, 2], the same joints in pixels of the crops, or None likewise.
          contexts: [B, F, J, C], in place of the crops and their joints: what the maps show at the
            joints, all levels one after the other, projected where the lifter was trained so; for
            lifters without deformable extraction, and for published ones the only way.
          flip_test: average with the prediction for the mirrored person; not with contexts, which
            the mirrored crop has of its own.

        Returns:
          float32 [B, J, 3], metres, in the frame that the lifter has learnt (the camera's, if the
          file does not say otherwise), relative to the skeleton's root.

        Raises:
          UserError: wrong inputs, or the file holds no sequence lifter.
        """
        lifter = abilities.sequence_lifter(self)
        if contexts is not None:
            return self._lift_contexts(lifter, joints2d, contexts, flip_test)
        windows = sequences.checked(self, joints2d, crops, joints2d_crop)
        pose = self._in_batches(functools.partial(sequences.lift, self, lifter), *windows)
        if not flip_test:
            return pose
        mirrored = sequences.mirrored(self, *windows)
        other = self._in_batches(functools.partial(sequences.lift, self, lifter), *mirrored)
        return (pose + flip_pose(other, self.skeleton)) / 2

    def _lift_contexts(
        self, lifter: Network, joints2d: Any, contexts: Any, flip_test: bool
    ) -> np.ndarray:
        """See `lift_sequence`."""
        if flip_test:
            raise UserError(
                'contexts are of the plain crops: lift those of the mirrored crops by themselves, '
                'and leave flip_test out'
            )
        windows = sequences.checked_contexts(self, lifter, joints2d, contexts)
        lift = functools.partial(sequences.lift_contexts, self, lifter)
        return self._in_batches(lift, *windows)

    def predict(
        self,
        source: Any,
        boxes: Any = None,
        joints2d: Any = None,
        camera: Any = None,
        *,
        joints2d_skeleton: str = '',
        detector: JointDetector | None = None,
        finder: Finder | None = None,
        height: float | None = None,
        flip_test: bool = True,
        conversion: str = '',
        shows_progress: bool = False,
        **video_options: Any,
    ) -> People | Tracks | list[People | Tracks | None]:
        """The people of photographs and videos, in 2D and 3D.

        Args:
          source: a picture: its file, or RGB pixels, uint8 [H, W, 3]. Or several: a folder, a
            pattern such as 'holiday/*.jpg', a folder of own data, or a list of files. Or videos.
          boxes: [N, 4] x, y, width, height of the people of one picture, pixels; None to find them.
          joints2d: their 2D joints: [N, J, 2] pixels in the order of `joints2d_skeleton`, or
            `given_joints.given` with confidences; or a file of them, which may be of many
            pictures; None to let the detector find them.
          camera: a `Camera`, of which the lens alone counts, fx, fy, cx, cy, or a calibration file;
            None for what the picture's EXIF says, or else an assumed field of view.
          joints2d_skeleton: the name of the skeleton of `joints2d`, such as 'coco17'; '' for
            `skeleton`, and of a file for what it says or the usual one of so many joints.
          detector: what finds the 2D joints; None for the detector in this file.
          finder: what finds the people; None for the one that comes with the repository.
          height: metres; everyone is scaled to this standing height.
          flip_test: average with the prediction for the mirrored person.
          conversion: the rule of `pose/joint_conversions.py` that makes the lifter's 2D joints of
            those found or given, such as 'gast'; '' for the one that the lifter was trained with.
          shows_progress: whether a bar on standard error tells how far each video is.
          video_options: of videos alone, the arguments of `video_options.plan_of`: `time_range`,
            `stride`, `smoothing`, `cutoff`, `constant_bones`, `still_feet`, `fill_gaps`, `axes`,
            `pitch` and `tilt`.

        Returns:
          `People` of one picture, `Tracks` of one video, and a list of them where the source names
          several, even if there is but one of these. In the list, None is in the place of a picture
          or video that cannot be read or done, and a warning says why.

        Warns:
          UserWarning: a video is cut short or changes its size, and its `Tracks` end there; or one
            of several could not be done.

        Raises:
          FileNotFoundError: nothing is there.
          UserError: no picture, or what is given does not fit it, options of videos among it; or
            the file holds no lifter. Of several sources, only what is wrong with all of them.
        """
        from capf_jax.inference import predictor  # which a program without photographs never needs

        return predictor.predict(
            self,
            source,
            boxes,
            joints2d,
            camera,
            joints2d_skeleton=joints2d_skeleton,
            detector=detector,
            finder=finder,
            height=height,
            flip_test=flip_test,
            conversion=conversion,
            shows_progress=shows_progress,
            **video_options,
        )

    def stream(
        self,
        source: str | os.PathLike,
        camera: Any = None,
        *,
        detector: JointDetector | None = None,
        finder: Finder | None = None,
        height: float | None = None,
        flip_test: bool = True,
        conversion: str = '',
        smoothing: str = 'one_euro',
    ) -> Generator[Live, None, None]:
        """The people of a camera or a video while its frames come, numbered over time.

        The camera or video is opened when the first frame is asked for. The measured delay from
        picture to pose is printed when the stream ends or is closed.

        A sequence lifter encodes each person of a frame once and remembers the tokens of the last
        frames (`video/sequence_people.py`). One of centred windows waits for later frames: a frame
        comes with its own people F // 2 * step frames after it was taken, and the last ones when
        the source ends. For joints that you have yourself there is `streaming.open_stream`.

        Args:
          source: 'camera:0', or a video file.
          camera: see `predict`.
          detector: see `predict`.
          finder: see `predict`.
          height: see `predict`.
          flip_test: see `predict`.
          conversion: see `predict`.
          smoothing: 'one_euro' or 'none'; the others need later frames.

        Yields:
          `Live`: the frame, its people along 'camera', and the delay.

        Raises:
          FileNotFoundError: there is no such file.
          UserError: no camera, no video, a smoothing that needs later frames, or the file holds no
            lifter.
        """
        from capf_jax.inference import predictor
        from capf_jax.inference.video import video_stream
        from capf_jax.inference.video.smoothing import Smoothing

        people_of = predictor.of_arguments(
            self,
            camera,
            detector=detector,
            finder=finder,
            height=height,
            flip_test=flip_test,
            conversion=conversion,
            has_videos=True,
        )
        return video_stream.stream(source, people_of, Smoothing(smoothing))

    def _in_batches(self, function: Callable[..., Any], *arrays: np.ndarray) -> Any:
        """The function's outputs for any number of samples, on the host."""
        return network_programs.in_batches(function, self.largest_batch, *arrays)
