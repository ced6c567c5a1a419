"""How a drawing is shown in training: moved a little, now and then in another colour or on one."""

import torch
import torch.nn.functional as F

from diffusion_utils.emoji64.captions import COLOURS


def moved(images, generator):
    """Scale up by 0 to 6 % and shift by up to 1.5 % of the width.

    (B, 4, S, S) RGBA in [0, 1] -> the same, premultiplied: no colour shows where nothing is drawn.
    """
    B = len(images)

    def uniform(low, high):
        return low + (high - low) * torch.rand(B, generator=generator)

    scale, zero = uniform(1 / 1.06, 1), torch.zeros(B)
    # a grid is 2 wide
    x, y = uniform(-0.03, 0.03), uniform(-0.03, 0.03)
    theta = torch.stack([scale, zero, x, zero, scale, y], 1).view(B, 2, 3)
    coordinates = F.affine_grid(theta, images.shape, align_corners=False)
    premultiplied = torch.cat([images[:, :3] * images[:, 3:], images[:, 3:]], 1)
    return F.grid_sample(premultiplied, coordinates, align_corners=False)


def recoloured(image, colour):
    """A drawing in one of `COLOURS`: (4, S, S) RGBA in [0, 1] -> the same.

    Light and shade stay. What is grey stays too, eyes and outlines, unless most of the drawing is.
    """
    rgb, alpha = image[:3], image[3:]
    paint = torch.tensor(COLOURS[colour])[:, None, None] / 255
    high, low = rgb.amax(0, keepdim=True), rgb.amin(0, keepdim=True)
    saturation = (high - low) / high.clamp(min=1e-3)
    painted = ((saturation - 0.15) / 0.2).clamp(0, 1)  # how much of the paint a pixel takes
    if (painted * alpha).sum() < 0.25 * alpha.sum():
        painted = torch.ones_like(painted)
    light = rgb.mean(0, keepdim=True)
    area = painted * alpha
    usual = (light * area).sum() / area.sum().clamp(min=1)
    shade = light / usual.clamp(min=0.1)  # 1 where the drawing is as light as usual
    gloss = (shade - 1).clamp(0, 1) * 0.6
    coat = paint * shade.clamp(max=1) * (1 - gloss) + gloss
    return torch.cat([painted * coat + (1 - painted) * rgb, alpha])


def composited(images, background):
    """Premultiplied RGBA (B, 4, S, S) on colours (B, 3, 1, 1), all in [0, 1] -> (B, 3, S, S) in [-1, 1]."""
    return 2 * (images[:, :3] + (1 - images[:, 3:]) * background) - 1


def background_of(colour, strength):
    """One of `COLOURS`, or "white", thinned with white: strength 1 is the colour itself -> (3, 1, 1)."""
    rgb = torch.tensor(COLOURS.get(colour, (255, 255, 255)))[:, None, None] / 255
    return 1 - strength * (1 - rgb)
