"""The framework of every builder: clips become parts in many processes, parts become a dataset.

A dataset says which clips there are and what is in each. This package makes them in many processes,
keeps finished clips over an interruption, and hands all of them to TFDS at the end.

    class Builder(building.Builder):            # builder.py: what a dataset must say
        def _splits(self): return {'train': [clips], 'test': [clips]}

    class MyClip(building.Clip): ...            # clips.py: what a clip is
    building.make_record(...)                   # cropping.py: one person of one image -> Record
    class Settings(building.SourceSettings)     # settings.py: size, quality, processes, source
    building.InputError(source, problems)       # problems.py: all that is wrong, in one sentence
"""

from data_pipeline.building.builder import Builder, BuilderConfig
from data_pipeline.building.clips import Clip
from data_pipeline.building.cropping import encode_crop, make_record
from data_pipeline.building.problems import InputError
from data_pipeline.building.settings import Settings, SourceSettings, from_fields

__all__ = [
    'Builder',
    'BuilderConfig',
    'Clip',
    'InputError',
    'Settings',
    'SourceSettings',
    'encode_crop',
    'from_fields',
    'make_record',
]
