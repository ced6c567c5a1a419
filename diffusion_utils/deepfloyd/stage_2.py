"""Stage II of DeepFloyd IF: the same picture with 256 x 256 pixels."""

import torch
import torch.nn.functional as F

from diffusion_utils.deepfloyd import weights
from diffusion_utils.denoisers import clipped, guided
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.schedule import CLEAN, strided_timesteps
from diffusion_utils.text_to_image import TextToImage

# As diffusers spaces them: 980, 960, .., 0. At 999 alpha_bar is 2e-9, and x_0 lost in rounding.
TIMESTEPS = [*strided_timesteps(980, 20), CLEAN]
GAMMA = 4.0
NOISE_LEVEL = 250  # the timestep to which the small image is noised


def load_stage_2(model):
    """Load stage II as a `TextToImage` that looks at six channels: x_t, and the small image beside it."""
    device = model.device
    folder = weights.fetched(model.stage_2, weights.UNET, device)
    unet, schedule = weights.load_unet(folder, device)

    def network(both, t, embedding):
        levels = torch.full((len(both),), NOISE_LEVEL, device=device)
        return weights.estimate(unet, both, t, embedding, class_labels=levels)

    stage = TextToImage(network, model.encode, schedule, device)
    stage.shape = (3, unet.config.sample_size, unet.config.sample_size)
    stage.conditions = model.conditions
    return stage


def upsample(model, images, prompts, seeds, timesteps=TIMESTEPS):
    """Draw images of stage I, a `DeepFloyd`, larger: (B, 3, 64, 64) in [-1, 1] -> (B, 3, 256, 256).

    The small images are enlarged, noised to NOISE_LEVEL, and shown beside x_t at every step.
    """
    model.denoiser(prompts)  # encodes what is new
    model.free()  # before the next network takes its place
    stage = load_stage_2(model)
    guide = guided(stage.denoiser(prompts), stage.denoiser(""), GAMMA)

    rng = generators(seeds)
    size = {"size": stage.shape[1:], "mode": "bilinear", "align_corners": True}
    large = F.interpolate(images.to(stage.device), **size)
    eps = unit_noise(stage.shape, rng).to(large)
    shown = stage.schedule.forward(large, NOISE_LEVEL, eps)

    def denoise(x_t, t):
        return guide(torch.cat([x_t, shown], 1), t)

    x = unit_noise(stage.shape, rng).to(large)
    denoise = clipped(denoise, stage.schedule)
    return last(trajectory(denoise, x, timesteps, stage.schedule, generators=rng))
