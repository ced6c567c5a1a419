"""What a command that trains asks of its machine: precision, memory, a bar."""

import ctypes

import torch
from accelerate import Accelerator
from tqdm import tqdm


def accelerator(precision):
    """An `Accelerator` on the GPU where there is one, else on the CPU; precision: "no" or "bf16".

    From then on, the process keeps the memory that it frees.
    """
    keep_freed_memory()
    # without cpu=True, accelerate 1.15 leaves processes that have no GPU unaware of each other
    return Accelerator(mixed_precision=precision, cpu=not torch.accelerator.is_available())


def best_precision():
    """ "bf16" where the processor computes in it, else "no", which is fp32."""
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "bf16" if native else "no"


def keep_freed_memory():
    """Tell glibc to reuse freed memory: fresh pages for each activation cost a fifth of the time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # not glibc; only slower
    m_trim_threshold, m_mmap_max, m_arena_max = -1, -4, -8
    mallopt(m_arena_max, 1)  # else each thread keeps its own freed memory
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)


def positive(text):
    """A whole number from 1 on, for argparse."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def progress(steps, total=None, **options):
    """Pass on what `loop.train` yields, from a run that may begin in its middle, with a bar."""
    bar = None
    for step, networks in steps:
        if bar is None:  # where it begins is known now, so the time left is right
            bar = tqdm(total=total, initial=step.step - 1, unit="step", **options)
        bar.set_postfix(epoch=step.epoch, loss=f"{step.loss:.4f}", refresh=False)
        bar.update()
        yield step, networks
    if bar is not None:
        bar.close()
