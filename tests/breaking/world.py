"""A dataset, a configuration and a finished run, which the cases copy, name and damage."""

import pathlib
import random
import time

from capf_jax.errors import UserError
from tests.breaking import runner

# A weight file that can be exported: the lifter of the run has no PyTorch layout.
EXPORTED = 'pretrained/synthetic_detector.safetensors'

CONFIG = """
from tests import tiny

def get_config():
    config = tiny.config({data!r})
    config.model.lifter.ablation_step = 0
    return config
"""

# A CA-PF-S on rendered clips.
SEQUENCE_CONFIG = """
from tests import tiny

def get_config():
    config = tiny.clips({data!r})
    config.training.epochs = 1
    return config
"""


class World:
    """What there is before the cases.

    Attributes:
      folder: where everything is.
      config: a configuration file, of the dataset in `folder / 'data'`.
      run: the folder of a finished run.
      weights: its weight file.
      sequence_config, sequence_weights: likewise of a lifter of windows of frames, a CA-PF-S.
      random: chooses what is random.
    """

    def __init__(self, folder: pathlib.Path, seed: int = 0):
        self.folder, self.random = folder, random.Random(seed)
        self.config = folder / 'tiny_config.py'
        self.config.write_text(CONFIG.format(data=str(folder / 'data')))
        self.run = folder / 'run'
        self.weights = self.run / 'lifter.safetensors'
        self.sequence_config = folder / 'sequence_config.py'
        self.sequence_config.write_text(SEQUENCE_CONFIG.format(data=str(folder / 'clips')))
        self.sequence_weights = folder / 'sequence' / 'sequence.safetensors'
        self._places = 0

    def training(self, workdir: pathlib.Path | str, *more: str) -> tuple[str, ...]:
        """Arguments of `train`."""
        return (f'--config={self.config}', f'--workdir={workdir}', *more)

    def place(self) -> pathlib.Path:
        """A folder of a case of its own, which is not there yet."""
        self._places += 1
        return self.folder / 'cases' / str(self._places)

    def train(self, limit: float) -> None:
        """Builds the dataset and trains the run.

        Raises:
          UserError: that fails.
        """
        self._train(self.training(self.run), limit)

    def train_sequence(self, limit: float) -> None:
        """Builds the dataset of clips and trains the CA-PF-S, unless that has been done.

        Raises:
          UserError: that fails.
        """
        if not self.sequence_weights.is_file():
            workdir = f'--workdir={self.sequence_weights.parent}'
            self._train((f'--config={self.sequence_config}', workdir), limit)

    def _train(self, arguments: tuple[str, ...], limit: float) -> None:
        case = runner.Case('world', 'train', 'train', arguments, runner.WORKS)
        running = runner.start(case, self.folder / 'output.txt')
        while (ending := running.ending(limit)) is None:
            time.sleep(0.05)
        if ending.verdict != runner.CLEAN:
            raise UserError(f'the run that the cases damage does not train: {ending.last_line}')
