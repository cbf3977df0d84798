"""Annotation files of every kind are built from, or refused in sentences that name the entry."""

import json

import pytest

from capf_jax.errors import UserError
from capf_jax.runtime import commands
from data_pipeline import datasets
from data_pipeline.datasets.own_data import annotations


def text(content):
    """A whole annotation file."""
    return lambda folder: (folder.path / 'annotations.json').write_bytes(content)


def entry(**fields):
    """Other fields of the second entry, of pictures."""

    def spoil(folder):
        folder.content['entries'][1].update(fields)
        folder.write_annotations()

    return spoil


def entry_text(name, value):
    """A field of the second entry whose JSON Python's own writer would not write."""

    def spoil(folder):
        folder.content['entries'][1][name] = 'HERE'
        content = json.dumps(folder.content).replace('"HERE"', value)
        (folder.path / 'annotations.json').write_text(content)

    return spoil


DEEP = 100_000
CASES = {
    'deep lists': (text(b'[' * DEEP), 'is not JSON: it is nested deeper'),
    'deep lists in an entry': (
        entry_text('box', '[' * DEEP + ']' * DEEP),
        'is not JSON: it is nested deeper',
    ),
    'deep objects': (text(b'{"a":' * DEEP), 'is not JSON: it is nested deeper'),
    'empty': (text(b''), 'is not JSON: it is empty'),
    'no text': (text(b'\xff\xfe{}'), 'is not JSON: it is not text in UTF-8'),
    'a list': (text(b'[1, 2]'), 'must be an object'),
    'huge whole number': (
        entry_text('joints2d', f'[[1{"0" * 400}, 2]{", [1, 2]" * 16}]'),
        "'joints2d' holds a number that is too large",
    ),
    'number of 5000 digits': (entry_text('frame', '9' * 5000), 'is not JSON: '),
    'huge box': (entry(box=[0, 0, 1e12, 1e12]), 'is far larger than the image'),
    'long name': (entry(image='n' * 5000), 'no file can have this name'),
    'long part of a name': (entry(image=f'images/{"n" * 300}.png'), 'no file can have this name'),
    'surrogate in a name': (entry(image='\udcff.png'), 'there is no file'),
    'high surrogate in a name': (entry(image='\ud800.png'), 'no file can have this name'),
    'zero in a name': (entry(image='a\0b.png'), 'no file can have this name'),
    'surrogate in a label': (entry(subject='\udcff'), "'subject' holds characters that cannot"),
    'control characters in a label': (entry(action='\x1b[31m'), "'action' holds characters that"),
    'a name out of the folder': (entry(image='../x.png'), 'lies outside the folder'),
    'a name through the folder': (entry(image='images/../../x.png'), 'lies outside the folder'),
    'an absolute name': (entry(image='/etc/hostname'), 'lies outside the folder'),
    'a folder as picture': (entry(image='images'), 'there is no file'),
}


@pytest.mark.parametrize(('spoil', 'sentence'), CASES.values(), ids=CASES)
def test_an_annotation_file_that_cannot_be_built_from_is_told(spoil, sentence, folder):
    folder.write()
    spoil(folder)
    with pytest.raises((UserError, FileNotFoundError)) as caught:
        datasets.open_or_build(folder.data(), build=True)
    assert commands.is_expected(caught.value)
    told = commands.sentence(caught.value)
    assert sentence in told
    assert told.replace('\n', '').isprintable()
    assert not (folder.path.parent / 'data').exists()  # not even an empty folder is left


def test_a_byte_order_mark_is_passed_over(folder):
    folder.path.mkdir()
    folder.write_annotations()
    path = folder.path / 'annotations.json'
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert len(annotations.read(folder.path)[0].entries) == 7


def test_a_picture_outside_is_read_where_the_user_allows_it(folder):
    folder.write()
    (folder.path / 'images/1.png').rename(folder.path.parent / 'outside.png')
    entry(image='../outside.png')(folder)
    builder = datasets.open_or_build(folder.data(outside_source=True), build=True)
    assert builder.info.splits['train'].num_examples == 5
