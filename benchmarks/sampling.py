"""What our sampling loop costs: python -m benchmarks.sampling.

Prints, measured in one run: how long Emoji-64 takes to load and to draw one and eight pictures; our
loop on it against the bare network calls in it; and our loop against diffusers' IFPipeline on the
same tiny network, each as it loads it, with the same steps and guidance, then both without the
network's time. Ratios are taken round by round: the median, and in brackets the quartiles.
"""

import argparse
import statistics
import sys
import time
from tempfile import TemporaryDirectory

import torch
from diffusers import IFPipeline
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from tqdm import tqdm

from diffusion_utils.deepfloyd.model import DeepFloyd
from diffusion_utils.deepfloyd.weights import load_unet
from diffusion_utils.denoisers import guided
from diffusion_utils.files import ROOT
from diffusion_utils.schedule import CLEAN, spaced_timesteps
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained

sys.path.insert(0, str(ROOT / "tests"))
import tiny_if  # noqa: E402


def seconds(contenders, repeats):
    """The times of each function; each round runs all of them, every other round backwards."""
    times = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    order = list(contenders)
    for _ in tqdm(range(repeats)):
        for name in order:
            start = time.perf_counter()
            contenders[name]()
            times[name].append(time.perf_counter() - start)
        order.reverse()
    return times


def ratio(times, one, other):
    """How many times as long `one` takes as `other`, as text."""
    ratios = [a / b for a, b in zip(times[one], times[other], strict=True)]
    low, median, high = statistics.quantiles(ratios)
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


def use(steps, repeats):
    """Seconds to load Emoji-64, and to draw one and eight guided pictures."""
    model = load_pretrained("emoji64", "cpu")
    timesteps = spaced_timesteps(model.schedule.T, steps)
    denoise = prompted(model, "a rocket ship")
    contenders = {
        "load": lambda: load_pretrained("emoji64", "cpu"),
        "one": lambda: generate(model, denoise, [0], timesteps),
        "eight": lambda: generate(model, denoise, range(8), timesteps),
    }
    return seconds(contenders, repeats)


def against_network_calls(steps, repeats):
    model = load_pretrained("emoji64", "cpu")
    timesteps = spaced_timesteps(model.schedule.T, steps)
    denoise = prompted(model, "a rocket")
    x = torch.randn(2, *model.shape)
    both = [
        torch.cat(parts)
        for parts in zip(model.condition("a rocket"), model.condition(""), strict=True)
    ]

    def bare():
        for t in timesteps[:-1]:
            model.network(x, t, *both)

    def ours():
        generate(model, denoise, [0], timesteps)

    return seconds({"bare": bare, "ours": ours}, repeats)


def against_diffusers(steps, repeats, *, instant=False):
    """Our loop and IFPipeline's on the tiny network, or on one that answers at once."""
    with TemporaryDirectory() as folder:
        tiny_if.pipeline().save_pretrained(folder)
        pipeline = IFPipeline.from_pretrained(folder)
        unet, schedule = load_unet(folder, "cpu")
    pipeline.set_progress_bar_config(disable=True)

    def encode(prompt):
        return pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)[:1]

    model = DeepFloyd(unet, encode, schedule, "cpu", None)
    timesteps = torch.linspace(999, 1, steps).long().tolist()
    c, u = model.condition("a dog")[0], model.condition("")[0]
    denoise = guided(model.denoiser("a dog"), model.denoiser(""), 7.0)
    if instant:
        answer = torch.randn(2, 6, *model.shape[1:])

        def forward(*_, return_dict=True, **__):
            return UNet2DConditionOutput(answer) if return_dict else (answer,)

        pipeline.unet.forward = unet.forward = forward

    def diffusers():
        pipeline(
            prompt_embeds=c, negative_prompt_embeds=u, timesteps=timesteps,
            guidance_scale=7.0, output_type="pt",
        )  # fmt: skip

    def ours():
        generate(model, denoise, [0], [*timesteps, CLEAN])

    return seconds({"diffusers": diffusers, "ours": ours}, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    print(f"guided, {args.steps} steps, on {torch.get_num_threads()} threads")
    times = use(args.steps, args.repeats)
    load, one, eight = map(statistics.median, times.values())
    print(f"Emoji-64: loading {load:.2f} s, one picture {one:.2f} s, eight {eight:.2f} s")
    times = against_network_calls(args.steps, 4 * args.repeats)
    print(f"our loop over the bare network calls: {ratio(times, 'ours', 'bare')}")
    times = against_diffusers(args.steps, 5 * args.repeats)
    print(f"tiny IF, diffusers' IFPipeline over ours: {ratio(times, 'diffusers', 'ours')}")
    times = against_diffusers(args.steps, 10 * args.repeats, instant=True)
    print(f"the same around a network that answers at once: {ratio(times, 'diffusers', 'ours')}")
    for name, seconds_of_a_run in times.items():
        step = statistics.median(seconds_of_a_run) / args.steps
        print(f"  {name} {1e6 * step:.0f} microseconds a step")


if __name__ == "__main__":
    main()
