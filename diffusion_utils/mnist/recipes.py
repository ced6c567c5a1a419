"""The recipes of Part B, and each as a task of the training loop."""

from dataclasses import dataclass, replace

import torch

from diffusion_utils.mnist.objectives import class_objective, denoising_objective, noise_objective
from diffusion_utils.mnist.unet import UNet
from diffusion_utils.pictures import to_unit
from diffusion_utils.schedule import Schedule
from diffusion_utils.training.loop import generator_for


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of; those of the book are in `RECIPES`.

    hidden: D, the width of the network. time, num_classes: whether it is told t, and of how many
    classes c is. lr_end: the share of lr that is left after the last epoch, reached exponentially.
    save_epochs: the epochs after which the weights are kept. images: how many digits an epoch has.
    beta_end: where the schedule's line of beta_t ends. ema: decay of the running average of the weights
    that is kept beside them, or None; it changes nothing in the training.
    """

    name: str
    hidden: int
    time: bool
    num_classes: int
    batch_size: int
    epochs: int
    lr: float
    lr_end: float
    save_epochs: tuple
    images: int = 60_000
    seed: int = 180
    beta_end: float = 0.02
    ema: float | None = None

    @property
    def steps_per_epoch(self):
        return -(-self.images // self.batch_size)

    @property
    def steps(self):
        return self.epochs * self.steps_per_epoch

    def network(self):
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return UNet(self.hidden, self.time, self.num_classes)

    @property
    def schedule(self):
        return Schedule.linear(1e-4, self.beta_end, T=300)

    def objective(self, x, labels, generator):
        """(inputs, target) of the recipe's network: digits (B, 1, 28, 28) in [0, 1], labels (B,)."""
        if self.num_classes:
            return class_objective(x, labels, generator, schedule=self.schedule)
        if self.time:
            return noise_objective(x, generator, self.schedule)
        return denoising_objective(x, generator)


B2 = Recipe(
    "b2", 64, True, 0, 128,
    epochs=20, lr=1e-3, lr_end=0.1, save_epochs=(5, 20), ema=0.999,
)  # fmt: skip

# the three of the coursework, and B2 with a schedule that ends at pure noise
RECIPES = {
    "b1": Recipe("b1", 128, False, 0, 256, epochs=5, lr=1e-4, lr_end=1.0, save_epochs=(1, 5)),
    "b2": B2,
    "b2_to_noise": replace(B2, name="b2_to_noise", beta_end=0.067, save_epochs=(20,)),
    "b3": Recipe("b3", 64, True, 10, 128, epochs=20, lr=1e-3, lr_end=0.1, save_epochs=(5, 20)),
}


class DigitTask:
    """A recipe and its digits, (images, labels) of `mnist.data.mnist`, for `training.loop.train`."""

    max_norm = None

    def __init__(self, recipe, digits):
        self.recipe = recipe
        self.images, self.labels = digits
        self.network = recipe.network

    def optimizer(self, network):
        return torch.optim.Adam(network.parameters(), lr=self.recipe.lr)

    def batch(self, step):
        recipe = self.recipe
        epoch, index = divmod(step - 1, recipe.steps_per_epoch)
        order = torch.randperm(recipe.images, generator=generator_for(recipe.seed, 0, epoch))
        chosen = order[index * recipe.batch_size :][: recipe.batch_size]
        noise = generator_for(recipe.seed, 1, step)
        return recipe.objective(to_unit(self.images[chosen]), self.labels[chosen], noise)

    def epoch_at(self, step):
        return 1 + (step - 1) // self.recipe.steps_per_epoch

    def lr_at(self, step):
        done = (self.epoch_at(step) - 1) / self.recipe.epochs
        return self.recipe.lr * self.recipe.lr_end**done

    def ema_at(self, step):
        # short at first, so that the random weights of the beginning are soon forgotten
        return self.recipe.ema and min(self.recipe.ema, (1 + step) / (10 + step))
