"""What our sampling loop costs: python -m benchmarks.sampling.

Prints, measured in one run: how long Emoji-64 takes to load and to draw one and eight pictures; our
loop on it against the bare network calls in it; and our loop against diffusers' IFPipeline on the
same tiny network, with the same steps and guidance, then both without the network's time.
"""

import argparse
import statistics
import sys
import time

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from tqdm import tqdm

from diffusion_utils.deepfloyd import DeepFloyd
from diffusion_utils.denoisers import guided
from diffusion_utils.files import ROOT
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.recipes import generate, prompted
from diffusion_utils.schedule import CLEAN, Schedule, spaced_timesteps

sys.path.insert(0, str(ROOT / "tests"))
import tiny_if  # noqa: E402


def seconds(contenders, repeats):
    """Median time of each function, taken in turns so that noise hits all alike."""
    times = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    for _ in tqdm(range(repeats)):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


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
    pipeline = tiny_if.pipeline()
    pipeline.set_progress_bar_config(disable=True)
    schedule = Schedule(pipeline.scheduler.alphas_cumprod.double())

    def encode(prompt):
        return pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)[:1]

    model = DeepFloyd(pipeline.unet, encode, schedule, "cpu", None)
    timesteps = torch.linspace(999, 1, steps).long().tolist()
    c, u = model.condition("a dog")[0], model.condition("")[0]
    denoise = guided(model.denoiser("a dog"), model.denoiser(""), 7.0)
    if instant:
        answer = torch.randn(2, 6, *model.shape[1:])
        pipeline.unet.forward = lambda *_, return_dict=True, **__: (
            UNet2DConditionOutput(answer) if return_dict else (answer,)
        )

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
    t = use(args.steps, args.repeats)
    print(
        f"Emoji-64: loading {t['load']:.2f} s, one picture {t['one']:.2f} s, "
        f"eight {t['eight']:.2f} s"
    )
    t = against_network_calls(args.steps, args.repeats)
    print(f"bare network calls {t['bare']:.2f} s, our loop {t['ours']:.2f} s")
    print(f"overhead of the loop: {t['ours'] / t['bare'] - 1:+.1%}")
    t = against_diffusers(args.steps, args.repeats)
    print(
        f"tiny IF: diffusers' IFPipeline {t['diffusers']:.2f} s, our loop {t['ours']:.2f} s"
    )
    print(f"ours is {t['diffusers'] / t['ours']:.3f} times as fast")
    t = against_diffusers(args.steps, 10 * args.repeats, instant=True)
    print("a step of the loop alone, around a network that answers at once:")
    for name, total in t.items():
        print(f"  {name} {1e6 * total / args.steps:.0f} microseconds")


if __name__ == "__main__":
    main()
