"""Ctrl-C while Emoji-64 is trained: one line says how to go on, and the same command does."""

import os
import signal
import time

from processes import begin, finish

from diffusion_utils.training.runs import read_history


def test_ctrl_c_says_that_the_run_can_go_on(tmp_path):
    run, shown = tmp_path / "base", tmp_path / "stderr"
    command = ["diffusion_utils.emoji64.train", "base", "--out", str(tmp_path), "--smoke"]
    command += ["--precision", "no", "--checkpoint-steps", "2"]
    process = begin(command, shown)
    while process.is_alive() and not (run / "checkpoint.safetensors").exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == [1], shown.read_text()
    assert "Traceback" not in shown.read_text()
    assert "goes on from the last checkpoint, if there is one" in shown.read_text()
    done = len(read_history(run / "history.csv"))
    assert done >= 2
    assert finish(begin([*command, "--steps", str(done + 2)], shown)) == [0]
    steps = [row.step for row in read_history(run / "history.csv")]
    assert steps == list(range(1, done + 3))
