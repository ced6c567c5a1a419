"""Commands of the package in processes of their own that start at once: what they import is there already."""

import multiprocessing
import os
import runpy
import signal
import socket
import sys

import torch

from diffusion_utils.files import ROOT

PRELOADED = ["diffusion_utils.mnist.train", "diffusion_utils.emoji64.train"]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(PRELOADED)
# read by the server that is forked; with more threads there, a copy of it waits for those that it lacks
os.environ |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def start(function, *arguments):
    """Begin a function of a test module in a new process."""
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def begin(command, shown, **environment):
    """Begin `python -m MODULE ARGUMENTS`, a list without `python -m`; stderr goes to the file `shown`."""
    return start(run_module, command, shown, environment)


def run_module(command, shown, environment):
    os.environ.update(environment)
    torch.set_num_threads(1)
    # a shell that starts the tests in the background has it ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(shown, "w") as file:
        os.dup2(file.fileno(), 2)
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def finish(*processes):
    """Wait for processes -> their exit codes."""
    for process in processes:
        process.join(240)
        process.kill()
    return [process.exitcode for process in processes]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def as_two(command, folder):
    """Begin a command as two processes that train together, as `accelerate launch` does."""
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2"}
    group["CUDA_VISIBLE_DEVICES"] = ""
    return [
        begin(command, folder / f"stderr-{rank}", RANK=rank, LOCAL_RANK=rank, **group)
        for rank in ("0", "1")
    ]
