"""Every field of a configuration, once, with the values of the paper's Human3.6M training.

A config file calls `get_config()` here and overrides only what differs.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """All fields, locked: an unknown field is an error."""
    config = ConfigDict()
    # What is learnt: 'lifter' (the detector is frozen), 'detector', 'classifier', which is a
    # detector's network on labels of people, or 'sequence', a lifter of windows of frames.
    config.task = 'lifter'
    config.seed = 0  # initial weights, data order, flips and drop path
    config.dtype = 'float32'  # to compute in: 'float32' or 'bfloat16'; parameters stay float32
    config.skeleton = 'h36m17'  # a name in capf_jax/pose/skeletons.py

    data = config.data = ConfigDict()
    data.name = 'synthetic'  # package of the dataset in data_pipeline/datasets/
    data.dir = 'data'  # where built datasets are kept: a folder, or one in a store such as gs://
    data.cache = ''  # folder for copies of datasets in a store; '' is ~/.cache/capf_jax/datasets
    data.builder = ConfigDict()  # fields of the dataset's own Settings
    data.train_split = 'train'  # TFDS split that is trained on
    data.test_split = 'test'  # TFDS split that is evaluated
    data.joints2d = 'detected'  # 2D joints of the dataset: 'detected' or 'truth'
    data.bad_image = 'error'  # an image that does not decode: 'error' or 'skip' (counted)
    data.threads = 4  # number of threads that read and decode
    # Whether to read what `python -m capf_jax.features` has stored of the frozen detector, instead
    # of running it in every step; for lifters without deformable extraction.
    data.features = False
    data.frames = 1  # F, frames of a window around its target; read if the task is 'sequence'
    data.frame_step = 1  # frames from one frame of a window to the next
    data.causal = False  # whether a window ends with its target, so that none reads the future
    data.classes = ()  # action labels that are told apart; read if the task is 'classifier'
    data.pictures = True  # whether pictures are read; False for lifters of coordinates alone

    config.model = ConfigDict()
    config.model.detector = 'hrnet_w32'  # a name in capf_jax/models/detectors/catalog.py
    config.model.detector_weights = ''  # safetensors file of it; '' for random weights
    config.model.detector_skeleton = ''  # joints of its heatmaps; '' for the published ones
    config.model.frame = 'camera'  # of the poses: 'camera', or 'viewing_ray' of the crop's middle
    config.model.joints2d = 'dataset'  # 2D input: of the 'dataset', or the frozen 'detector's own
    # The rule of capf_jax/pose/joint_conversions.py that makes the lifter's joints of the
    # detector's; read if model.joints2d is 'detector'.
    config.model.joint_conversion = 'fitted'
    # Chance of a training person that the joints are made by another published rule instead.
    config.model.other_conversions = 0.0
    config.model.detector_head = True  # False: an HRNet without heatmaps, as published CA-PFs hold

    hrnet = config.model.hrnet = ConfigDict()  # your own size; read if the detector is 'hrnet'
    hrnet.width = 32  # channels of the finest branch
    hrnet.stem_channels = 64  # channels of the two stride-2 stem convolutions
    hrnet.bottlenecks = 4  # bottleneck blocks of the first stage
    hrnet.modules = (1, 4, 3)  # modules in the stages of 2, 3 and 4 branches
    hrnet.blocks = 4  # basic blocks on every branch of a module
    hrnet.skeleton = ''  # joints of its heatmaps; '' for those of the lifter
    hrnet.heatmaps = 'gaussian'  # what its heatmaps are: 'gaussian' or 'probability'

    vitpose = config.model.vitpose = ConfigDict()  # likewise; read if the detector is 'vitpose'
    vitpose.dimension = 768  # channels of a token
    vitpose.depth = 12  # transformer blocks
    vitpose.heads = 12  # attention heads of each block
    vitpose.channels = 256  # of the two transposed convolutions
    vitpose.crop = (256, 192)  # height and width of its crops: a position embedding is of one size
    vitpose.skeleton = ''  # joints of its heatmaps; '' for those of the lifter
    vitpose.heatmaps = 'gaussian'  # what its heatmaps are: 'gaussian' or 'probability'

    simple = config.model.simplebaseline = ConfigDict()  # read if the detector is 'simplebaseline'
    simple.width = 64  # channels of the ResNet's stem; its first stage has four times as many
    simple.blocks = (3, 4, 6, 3)  # bottlenecks of the ResNet's stages
    simple.channels = 256  # of the three transposed convolutions
    simple.maps = 'deconvolutions'  # maps that it gives: these, or those of the ResNet's 'stages'
    simple.skeleton = ''  # joints of its heatmaps; '' for those of the lifter
    simple.heatmaps = 'gaussian'  # what its heatmaps are: 'gaussian' or 'probability'

    lifter = config.model.lifter = ConfigDict()
    lifter.ablation_step = 3  # 0 coordinates, 1 + context, 2 + fusion, 3 + deformable (Table 3)
    lifter.levels = ()  # maps used, 0 is the finest (Table 4); () uses all of the detector's
    lifter.deformable = True  # deformable context extraction; False for MPI-INF-3DHP
    lifter.detector_joints = False  # also give the detector's own 2D joints (a control experiment)
    lifter.channels = 128  # C, the shared dimension
    lifter.layers = 4  # transformer blocks in each module
    lifter.heads = 8  # attention heads of fusion and inter-joint blocks
    lifter.deformable_heads = 4  # M, attention heads of deformable extraction
    lifter.sampling_points = 4  # K, sampling points a head
    lifter.mlp_ratio = 2  # hidden width of an MLP over its input width
    lifter.drop_path = 0.2  # drop path of each module's last block, rising linearly from 0
    # Means against bad 2D joints, of 'noise', 'confidence', 'wander', 'reading'; () is the paper's.
    lifter.robust = ()

    # The task 'sequence' alone reads these. Its lifter has the fields of config.model.lifter, too.
    model = config.model
    model.sequence_lifter = 'ca_pf_s'  # 'ca_pf_s', or 'poseformer', the one without context
    model.temporal_layers = 4  # CA-PF-S: transformer blocks over the frames
    model.temporal_heads = 8  # CA-PF-S: attention heads of these blocks
    model.temporal_position = False  # CA-PF-S: a learnt embedding of the frames' places in time
    # CA-PF-S: numbers that the frozen projection of another lifter makes of each level's context
    # vector before the lifter sees it; 0 gives it the vectors as the maps have them.
    model.projection_channels = 0
    model.projection_weights = ''  # file of the single-frame lifter it is of; '' for random weights

    training = config.training = ConfigDict()
    training.start = ''  # weight file to begin from: of a lifter with its detector, or a detector
    training.start_part = 'all'  # what is taken of it: 'all', 'lifter' or 'detector'
    training.target_unit = 'm'  # what the lifter predicts: 'm', or 'mm' (published MPI-INF-3DHP)
    training.detector_statistics = 'frozen'  # BatchNorms of a lifter's detector: or 'batch'
    training.batch_size = 512  # samples a step over all devices
    training.accumulate = 1  # parts that each device computes a batch in, to take less memory
    training.epochs = 50  # passes over the training split
    training.learning_rate = 6.4e-4  # AdamW, at the start
    training.learning_rate_decay = 0.99  # factor after every epoch
    training.weight_decay = 0.1  # AdamW, on every trained parameter
    training.offset_learning_rate_factor = 1.0  # the sampling-offset layers' share of the rate
    training.weight_average = 0.0  # decay of the weights' moving average, such as 0.999; 0: none
    training.flip_probability = 0.5  # chance that a sample is mirrored
    training.joint_noise = 8.0  # px of a 1000 px image, largest sigma; read if robust has 'noise'
    training.joint_swap = 0.05  # chance of a left and right swap; read if robust has 'noise'
    training.checkpoint_minutes = 10.0  # time between checkpoints inside an epoch
    training.precision = 'default'  # of matrix products: a jax.default_matmul_precision
    training.weight_type = 'float32'  # type of numbers in the weight file: 'float32' or 'float16'
    training.weight_detector = 'inside'  # the weight file's detector: 'inside', or 'beside' by name
    training.log_steps = 20  # steps between two lines of the log

    detection = config.detection = ConfigDict()
    detection.sigma = 2.0  # standard deviation of the target heatmaps, heatmap pixels
    detection.max_rotation = 30.0  # augmentation of detector training, degrees
    detection.max_scale = 0.25  # augmentation of detector training, share of the crop's size
    detection.max_shift = 0.05  # augmentation of detector training, share of the crop's width
    detection.max_gain = 0.25  # augmentation of detector training, share of each colour channel

    evaluation = config.evaluation = ConfigDict()
    evaluation.batch_size = 256  # samples a step over all devices
    evaluation.every_epochs = 1  # epochs between evaluations while training
    evaluation.protocol = 'plain'  # metrics and averages: 'plain', 'human36m' or 'mpi_inf_3dhp'
    evaluation.precision = 'highest'  # of matrix products: a jax.default_matmul_precision
    evaluation.flip_test = True  # average with the mirrored prediction
    evaluation.pictures = 4  # test people drawn after training

    return config.lock()
