"""The text of a compiled program gives its collectives, its loops and the bytes that it moves."""

import pytest

from benchmarks import hlo_text

TEXT = """\
HloModule jit_step, is_scheduled=true

%fused_computation.1 (p.0: f32[8,128], p.1: f32[128,128]) -> f32[8,128] {
  %p.0 = f32[8,128]{1,0:T(8,128)} parameter(0)
  %p.1 = f32[128,128]{1,0:T(8,128)} parameter(1)
  ROOT %convolution.1 = f32[8,128]{1,0:T(8,128)} convolution(%p.0, %p.1), dim_labels=bf_io->bf
}

%body.1 (arg: (f32[8,128])) -> (f32[8,128]) {
  %arg = (f32[8,128]{1,0:T(8,128)}) parameter(0)
  %part = f32[8,128]{1,0:T(8,128)} get-tuple-element(%arg), index=0
  %all-gather.1 = f32[32,128]{1,0:T(8,128)} all-gather(%part), channel_id=2, dimensions={0}
  ROOT %tuple.1 = (f32[8,128]{1,0:T(8,128)}) tuple(%part)
}

%condition.1 (arg: (f32[8,128])) -> pred[] {
  %arg.1 = (f32[8,128]{1,0:T(8,128)}) parameter(0)
  ROOT %constant.1 = pred[] constant(false)
}

ENTRY %main.1 (x: f32[8,128], w: f32[128,128]) -> f32[8,128] {
  %x = f32[8,128]{1,0:T(8,128)} parameter(0)
  %w = f32[128,128]{1,0:T(8,128)} parameter(1)
  %copy-start.1 = (f32[128,128]{1,0:T(8,128)S(1)}, f32[128,128]{1,0:T(8,128)}, u32[]{:S(2)}) \
copy-start(%w)
  %copy-done.1 = f32[128,128]{1,0:T(8,128)S(1)} copy-done(%copy-start.1)
  %fusion.1 = f32[8,128]{1,0:T(8,128)} fusion(%x, %copy-done.1), kind=kOutput, \
calls=%fused_computation.1, metadata={op_name="jit(step)/jvp(HRNet)/stem0/conv/conv"}
  %small = f32[8,2,2]{2,1,0:T(2,128)} bitcast(%fusion.1)
  %add.1 = f32[8,2,2]{2,1,0:T(2,128)} add(%small, %small), metadata={\
op_name="jit(step)/Lifter/Lifter.encode/Lifter.fuse/add"}
  %tuple.2 = (f32[8,128]{1,0:T(8,128)}) tuple(%fusion.1)
  %while.1 = (f32[8,128]{1,0:T(8,128)}) while(%tuple.2), condition=%condition.1, body=%body.1
  %all-reduce.1 = (f32[8]{0:T(128)}, bf16[16]{0:T(256)}) all-reduce(%x, %x), to_apply=%sum
  %all-reduce-start.2 = f32[4]{0:T(128)} all-reduce-start(%x), to_apply=%sum
  ROOT %result = f32[8,128]{1,0:T(8,128)} get-tuple-element(%while.1), index=0
}
"""


@pytest.fixture(scope='module')
def program():
    return hlo_text.parse(TEXT)


def test_collectives_are_counted_with_those_of_loops(program):
    assert hlo_text.collectives(program) == {
        'all-reduce': {'count': 2, 'bytes': 8 * 4 + 16 * 2 + 4 * 4},
        'all-gather': {'count': 1, 'bytes': 32 * 128 * 4},
    }


def test_loops_are_counted(program):
    assert hlo_text.loops(program) == 1


def test_a_fusion_is_named_after_what_it_is_made_around(program):
    sorts = [sort.sort for sort in hlo_text.traffic(program)]
    assert 'HRNet: fused convolution' in sorts


def test_an_array_in_fast_memory_takes_no_bytes_of_the_large_one(program):
    rows = {sort.sort: sort for sort in hlo_text.traffic(program)}
    assert rows['HRNet: fused convolution'].bytes == 2 * 8 * 128 * 4


def test_a_copy_into_fast_memory_is_read_once_and_belongs_to_its_reader(program):
    rows = {sort.sort: sort for sort in hlo_text.traffic(program)}
    assert rows['HRNet: copy-start'].bytes == 128 * 128 * 4


def test_a_gather_on_a_sparse_core_reads_its_operands_once_and_writes_its_result():
    text = """\
ENTRY %main.1 (x: f32[64,128], i: s32[16]) -> f32[16,128] {
  %x = f32[64,128]{1,0:T(8,128)} parameter(0)
  %i = s32[16]{0:T(128)} parameter(1)
  %start = ((), (), (s32[1024]{0:T(1024)})) custom-call-start(), custom_call_target="gather"
  %update = ((f32[64,128]{1,0:T(8,128)}, s32[16]{0:T(128)}), f32[16,128]{1,0:T(8,128)}, \
(s32[1024]{0:T(1024)})) custom-call-update(%start, %x, %i)
  ROOT %done = f32[16,128]{1,0:T(8,128)} custom-call-done(%update)
}
"""
    rows = hlo_text.traffic(hlo_text.parse(text))
    assert [(row.sort, row.bytes) for row in rows] == [
        ('other: custom-call-update', 4 * (64 * 128 + 128 + 16 * 128))
    ]


def test_arrays_in_fast_memory_hide_no_padding():
    size = hlo_text.size_of('(s32[16]{0:T(128)S(1)}, f32[2,8]{1,0:T(2,128)})')
    assert size.padding == 2 * 128 * 4 - 2 * 8 * 4


def test_short_axes_are_counted_with_their_padding(program):
    rows = {sort.sort: sort for sort in hlo_text.traffic(program)}
    add = rows['Lifter fuse: add']
    assert add.bytes == 3 * 8 * 2 * 128 * 4
    assert add.padding == add.bytes - 3 * 8 * 2 * 2 * 4


@pytest.mark.parametrize(
    ('kind', 'numbers', 'in_memory'),
    [
        ('f32[8,128]{1,0:T(8,128)}', 4096, 4096),
        ('bf16[3,5]{1,0:T(8,128)(2,1)}', 30, 8 * 128 * 2),
        ('bf16[3,5]{0,1:T(8,128)(2,1)}', 30, 8 * 128 * 2),
        ('pred[]', 1, 1),
        ('f32[2,3]', 24, 24),
        ('s32[16]{0:T(128)S(1)}', 64, 0),
        ('(u8[4], f32[2])', 12, 12),
    ],
)
def test_sizes_of_types(kind, numbers, in_memory):
    size = hlo_text.size_of(kind)
    assert (size.numbers, size.in_memory) == (numbers, in_memory)


@pytest.mark.parametrize(
    ('source', 'part'),
    [
        ('jit(f)/shard_map/jvp(HRNet)/stage2_module0_branches/conv1/conv', 'HRNet'),
        ('jit(f)/transpose(jvp(Lifter))/Lifter.encode/Lifter.fuse/add', 'Lifter fuse'),
        ('jit(f)/shard_map/psum', 'other'),
    ],
)
def test_the_part_of_an_operation(source, part):
    assert hlo_text.part_of(source) == part


def test_a_text_without_an_entry_is_an_error():
    with pytest.raises(ValueError, match='no entry computation'):
        hlo_text.parse('HloModule empty\n')
