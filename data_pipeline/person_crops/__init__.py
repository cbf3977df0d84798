"""What the builders of large published datasets share: clips become crops, crops become a dataset.

A builder on this base says which clips there are and what is in each; this package runs them in
many processes, keeps finished ones over an interruption, and hands the whole to TFDS at the end.

    class Builder(person_crops.Builder):      # builder.py: what a dataset must say
        def _splits(self): return {'train': [clips], 'test': [clips]}

    class MyClip(person_crops.Clip): ...      # clips.py: what a clip is
    person_crops.make_record(...)             # pictures.py: one person of one image -> Record
    person_crops.Settings                     # settings.py: size, quality, processes
    person_crops.InputError(source, problems) # problems.py: all that is wrong, in one sentence
"""

from data_pipeline.person_crops.builder import Builder, BuilderConfig
from data_pipeline.person_crops.clips import Clip
from data_pipeline.person_crops.pictures import make_record, read_image
from data_pipeline.person_crops.problems import InputError
from data_pipeline.person_crops.settings import Settings, from_fields

__all__ = [
    'Builder',
    'BuilderConfig',
    'Clip',
    'InputError',
    'Settings',
    'from_fields',
    'make_record',
    'read_image',
]
