"""Which recipe learns fastest: python -m benchmarks.emoji64_short_runs --minutes 5.

Trains Emoji-64's base on the first 64 names, as long as asked, once for each optimiser, one after the
other on the same machine. Writes benchmarks/results/emoji64_short_runs.json: the error of the estimate
of x_0 at five timesteps, and how often the judge names a picture (enlarged to 64x64).
"""

import argparse
import json
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F

from benchmarks._results import RESULTS, store
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import chosen, emoji
from diffusion_utils.emoji64.judge import load_evaluator, plain, ranks, top
from diffusion_utils.emoji64.model import FOLDER, text_to_image
from diffusion_utils.emoji64.recipe import SCHEDULE, Batches, EmojiTask, Recipe
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.tasks import prompted
from diffusion_utils.training.loop import train
from diffusion_utils.training.runtime import accelerator, best_precision, progress

NAMES, TIMESTEPS = 64, (950, 800, 650, 450, 200)
RECIPES = {
    "AdamW, batch 32, rate 0.001": Recipe(batch_size=32, lr=1e-3, warmup=100),
    "AdamW, batch 64, rate 0.0014": Recipe(lr=1.4e-3, warmup=100),
    "Muon, batch 64, rate 0.002": Recipe(warmup=100),
}


class ShortTask(EmojiTask):
    """A run whose rate falls to zero over the last 30 % of its time."""

    def __init__(self, recipe, batches, what, seconds):
        super().__init__(recipe, batches)
        self.what, self.seconds, self.spent = what, seconds, 0.0
        self.lr_at = self.falling

    def optimizer(self, network):
        if self.what.startswith("Muon"):
            return super().optimizer(network)
        return torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=0.01)

    def falling(self, step):
        left = (1 - self.spent / self.seconds) / 0.3
        return self.recipe.lr_at(step) * min(1, max(0, left))


@torch.no_grad()
def errors(network, data, encoder):
    """Mean squared error of the base's estimate of x_0, 128 drawings, plain captions, at `TIMESTEPS`."""
    g = torch.Generator().manual_seed(1)
    chosen = torch.randperm(len(data.images), generator=g)[:128]
    x_0 = F.avg_pool2d(plain(data, chosen), 2)
    eps = torch.randn(x_0.shape, generator=g)
    prompt = encoder([called(data.names[i]) for i in data.name_index[chosen]])
    found = []
    for t in TIMESTEPS:
        x_t = SCHEDULE.forward(x_0, t, eps).contiguous(memory_format=torch.channels_last)
        v = network(x_t, torch.full((len(x_0),), t), *prompt)
        noise = SCHEDULE.noise_from_velocity(x_t, t, v)
        x0_hat = SCHEDULE.predict_x0(x_t, t, noise)
        found.append((x0_hat - x_0).square().mean().item())
    return found


def named(network, data, encoder, judge):
    """Top-1 and top-5 of one picture for each name, gamma 4, 20 steps, seeds 0 to 63."""
    model = text_to_image(network, encoder)
    denoise = prompted(model, list(map(called, data.names[:NAMES])), gamma=4)
    path = spaced_timesteps(1000, 20)
    x = sample(denoise, (3, 32, 32), path, model.schedule, seeds=range(NAMES))
    x = F.interpolate(x.clamp(-1, 1), scale_factor=2, mode="bicubic").clamp(-1, 1)
    found = ranks(judge, x, torch.arange(NAMES))
    return {"top1": top(found, 1), "top5": top(found, 5)}


def run(what, recipe, minutes, data, encoder, judge):
    task = ShortTask(recipe, Batches(recipe, data, encoder), what, 60 * minutes)
    with TemporaryDirectory() as folder:
        steps = train(task, folder, accelerator(best_precision()), hours=minutes / 60)
        for row, networks in progress(steps, desc=what):  # noqa: B007
            task.spent = row.seconds
    average = networks["ema"]
    return {
        "what": what,
        "drawings": row.step * recipe.batch_size,
        "error": [round(e, 5) for e in errors(average.eval(), data, encoder)],
        **named(average, data, encoder, judge),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    args = parser.parse_args()
    everything, encoder = emoji(), TextEncoder(FOLDER)
    data = chosen(everything, everything.name_index < NAMES)
    judge = load_evaluator()[0]
    runs = [
        run(what, recipe, args.minutes, data, encoder, judge) for what, recipe in RECIPES.items()
    ]
    result = {"minutes": args.minutes, "timesteps": TIMESTEPS, "runs": runs}
    store(RESULTS / "emoji64_short_runs.json", result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
