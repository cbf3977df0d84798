"""Logs of a run hold every number, and survive an interruption and a full disk."""

import contextlib
import json
import socket
import struct

import pytest
from tensorboardX import record_writer
from tensorboardX.proto import event_pb2

from capf_jax.runtime import logs


def write(workdir, steps, start=0):
    with logs.Logs(workdir, start_step=start, total_steps=10, batch_size=4) as log:
        for step in steps:
            log.advance()
            log.training(step, {'loss': 1 / step})


def lines(workdir):
    return [json.loads(line) for line in (workdir / 'log.jsonl').read_text().splitlines()]


def test_a_line_has_step_loss_and_speed(tmp_path):
    write(tmp_path, [1])
    (line,) = lines(tmp_path)
    assert (line['step'], line['part'], line['loss']) == (1, 'train', 1.0)
    assert line['samples_per_second'] > 0


def test_a_resumed_run_has_each_step_once(tmp_path):
    write(tmp_path, [1, 2, 3])
    write(tmp_path, [3, 4], start=2)
    assert [line['step'] for line in lines(tmp_path)] == [1, 2, 3, 4]


def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path):
    write(tmp_path, [1, 2])
    with open(tmp_path / 'log.jsonl', 'a') as file:
        file.write('{"step": 3, "par')
    write(tmp_path, [3], start=2)
    assert [line['step'] for line in lines(tmp_path)] == [1, 2, 3]


def test_an_evaluation_is_found_again(tmp_path):
    with logs.Logs(tmp_path, 0, 10, 4) as log:
        log.evaluation(5, {'mpjpe': 50.0})
    assert logs.was_evaluated(tmp_path, 5)
    assert not logs.was_evaluated(tmp_path, 6)


def test_an_evaluation_counts_the_images_it_left_out(tmp_path, capsys):
    with logs.Logs(tmp_path, 0, 10, 4) as log:
        log.evaluation(5, {'mpjpe': 50.0}, skipped=3)
    assert lines(tmp_path)[0]['skipped_images'] == 3
    assert 'mpjpe 50.00 (images left out, since they do not decode: 3)' in capsys.readouterr().err


def events(workdir):
    """What the one file of TensorBoard holds: records of a length, its checksum, bytes, theirs."""
    (path,) = (workdir / 'tensorboard').glob('events.out.tfevents.*')
    content, held = path.read_bytes(), []
    while content:
        (length,) = struct.unpack_from('<Q', content)
        held.append(event_pb2.Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return held


def test_tensorboard_is_told_steps_and_values(tmp_path):
    write(tmp_path, [1])
    first, second = events(tmp_path)
    assert first.file_version == 'brain.Event:2'
    values = {value.tag: value.simple_value for value in second.summary.value}
    assert (second.step, values['train/loss']) == (1, 1.0)


def test_tensorboard_hides_what_a_resumed_run_does_again(tmp_path):
    write(tmp_path, [3], start=2)
    start = events(tmp_path)[1]
    assert (start.step, start.session_log.status) == (3, event_pb2.SessionLog.START)


def test_a_full_disk_names_the_log(tmp_path):
    with logs.Logs(tmp_path, 0, 10, 4) as log:
        (tmp_path / 'log.jsonl').symlink_to('/dev/full')
        with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/log.jsonl"):
            log.training(1, {'loss': 1.0})


def test_a_full_disk_names_the_folder_of_tensorboard(tmp_path, monkeypatch):
    with contextlib.suppress(OSError), open('/dev/full', 'wb') as full:  # closing it fails, too
        monkeypatch.setattr(record_writer, 'open_file', lambda path: full)
        with (
            logs.Logs(tmp_path, 0, 10, 4) as log,
            pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/tensorboard'"),
        ):
            log.training(1, {'loss': 1.0})


def test_a_killed_run_leaves_every_event_it_has_logged(tmp_path):
    with logs.Logs(tmp_path, 0, 10, 4) as log:
        log.training(1, {'loss': 1.0})
        assert len(events(tmp_path)) == 2


def test_the_progress_line_shows_loss_speed_and_time_left(tmp_path, capsys):
    write(tmp_path, [1, 2])
    shown = capsys.readouterr().err
    assert 'loss 0.5' in shown or 'loss 1.0' in shown
    assert 'samples/s' in shown
    assert '/10' in shown


def test_what_is_no_file_in_the_place_of_a_log_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # The path of a socket is short.
    with socket.socket(socket.AF_UNIX) as connection:
        connection.bind('log.jsonl')
        assert logs.entries('log.jsonl') == []
