"""What libraries throw, turned into sentences for the user: the one place that knows their errors.

An error is recognised by the names of its classes and of the module that raised it, so that no
library is imported for it. A room that knows which file or argument was at fault raises a
`UserError` itself; this table is for what no room has foreseen.
"""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable

# Errors of the machine or of paths that no retry mends; the advice follows the system's own words.
_ADVICE = {
    errno.ENOSPC: 'make room there, or name another folder',
    errno.EDQUOT: 'make room there, or name another folder',
    errno.ENAMETOOLONG: 'give a shorter name',
    errno.ELOOP: 'the links lead in a circle: name another folder, or mend the links',
    errno.ENOENT: 'correct the path',
    errno.EISDIR: 'a file is needed there: remove the folder or name another path',
    errno.EMFILE: 'too many files are open: raise the limit (ulimit -n) or lower the threads',
    errno.ENOMEM: 'close other programs, or ask for less',
    errno.EAGAIN: 'the system allows no more processes: close other programs, or ask for fewer',
    errno.EPIPE: 'the program that read the output has ended',
}
# What the libraries of stores such as `gs://` raise; some are errors of the system as well.
_OF_STORES = {
    'aiohttp.ClientError', 'botocore.BotoCoreError', 'botocore.ClientError', 'gcsfs.HttpError',
    'google.GoogleAuthError',
}  # fmt: skip
_LESS = (
    'lower config.training.batch_size and config.evaluation.batch_size (--batch_size), or the size '
    'of the model'
)


def sentence(error: BaseException) -> str:
    """What to tell the user of an error that a library or the system raised; '' of any other.

    Args:
      error: as it was caught, with its traceback.
    """
    names = {f'{kind.__module__.split(".")[0]}.{kind.__name__}' for kind in type(error).__mro__}
    text = one_line(error)
    if names & _OF_STORES:
        return _of_a_store(error, text)
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error)
    for matches, words in _TABLE:
        if matches(error, names, text):
            return words(error, text)
    return ''


def one_line(error: BaseException, most: int = 300) -> str:
    """An error's message in one line, cut where it is long."""
    text = ' '.join(str(error).split())
    return text if len(text) <= most else f'{text[:most]}...'


def _of_the_system(error: OSError) -> str:
    """The system's words with the file first and what to do last."""
    where = '' if error.filename is None else f'{os.fsdecode(error.filename)}: '
    if len(where) > 200:
        where = f'{where[:100]}...: '
    number = error.errno or 0
    return f'{where}{error.strerror}; {_ADVICE.get(number, "name another folder")}'


def _of_a_store(error: BaseException, text: str) -> str:
    where = getattr(error, 'filename', None) or 'a store'
    return (
        f'{where} cannot be reached ({type(error).__name__}: {text}): '
        'check the name of the path, the connection, and that you may read and write there'
    )


def _raised_in(error: BaseException, *parts: str) -> bool:
    """Whether a file of the traceback has one of these parts in its path."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(part in frame.filename for frame in frames for part in parts)


def _is_start_of_jax(error: BaseException, names: set[str], text: str) -> bool:
    del names
    if text.startswith('Unable to initialize backend'):
        return True
    # An empty assertion tells that CUDA is absent; JAX may have removed the file that has it.
    where = os.path.join('jax', '_src', 'xla_bridge.py' if text else '')
    return type(error) in (AssertionError, RuntimeError) and _raised_in(error, where)


def _start_of_jax(error: BaseException, text: str) -> str:
    del error
    asked = os.environ.get('JAX_PLATFORMS', '')
    first = text.split(' (set JAX_PLATFORMS')[0].removeprefix('Unable to initialize backend ')
    reason = f' ({first})' if first else ''
    if asked:
        return (
            f'JAX finds no device of the environment variable JAX_PLATFORMS={asked}{reason}; unset '
            'it to take the devices that there are, set it to cpu, or install JAX for that device'
        )
    return f'JAX finds no device{reason}; set the environment variable JAX_PLATFORMS=cpu'


def _is_out_of_memory(error: BaseException, names: set[str], text: str) -> bool:
    return isinstance(error, MemoryError) or (
        'jax.JaxRuntimeError' in names and 'RESOURCE_EXHAUSTED' in text
    )


def _is_circle_of_links(error: BaseException, names: set[str], text: str) -> bool:
    del names
    return type(error) is RuntimeError and text.startswith('Symlink loop')


def _is_disk_without_room(error: BaseException, names: set[str], text: str) -> bool:
    """TFDS asks for the free room itself, and raises an error without a number."""
    del names
    return isinstance(error, OSError) and text.startswith('Not enough disk space')


def _named(*kinds: str) -> Callable[[BaseException, set[str], str], bool]:
    """Whether an error is of one of these classes, written 'package.Class'."""
    return lambda error, names, text: bool(names & set(kinds))


# (whether an error is of this kind, what is to be told of it), asked in this order.
_TABLE: tuple[
    tuple[
        Callable[[BaseException, set[str], str], bool],
        Callable[[BaseException, str], str],
    ],
    ...,
] = (
    (_is_start_of_jax, _start_of_jax),
    (_is_out_of_memory, lambda _, text: f'there is too little memory ({text}); {_LESS}'),
    (
        _is_disk_without_room,
        lambda *_: (
            'the disk of the dataset (config.data.dir) is full; make room there, or name '
            'another folder'
        ),
    ),
    (_is_circle_of_links, lambda _, text: f'{text}; name another folder, or mend the links'),
    (
        _named('PIL.DecompressionBombError', 'PIL.UnidentifiedImageError'),
        lambda _, text: f'a picture cannot be opened ({text}); copy it again',
    ),
    (
        _named('safetensors_rust.SafetensorError', 'safetensors.SafetensorError'),
        lambda _, text: f'a .safetensors file is damaged ({text}); copy or download it again',
    ),
    (
        _named('json.JSONDecodeError'),
        lambda _, text: f'a file does not read as JSON ({text}); copy it again',
    ),
    (
        _named('google.ParseError', 'google.DecodeError'),
        lambda _, text: f'a file of a dataset is damaged ({text}); build the dataset again',
    ),
    (
        _named('zipfile.BadZipFile', 'zlib.error'),
        lambda _, text: f'an archive is damaged ({text}); copy or download it again',
    ),
)
