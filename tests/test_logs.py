import json

from capf_jax import logs


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


def test_tensorboard_files_are_written(tmp_path):
    write(tmp_path, [1])
    assert list((tmp_path / 'tensorboard').glob('events.*'))


def test_the_progress_line_shows_loss_speed_and_time_left(tmp_path, capsys):
    write(tmp_path, [1, 2])
    shown = capsys.readouterr().err
    assert 'loss 0.5' in shown or 'loss 1.0' in shown
    assert 'samples/s' in shown
    assert '/10' in shown
