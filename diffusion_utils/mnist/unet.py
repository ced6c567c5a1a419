"""The U-Net of Part B: small convolutional blocks, read top to bottom in `UNet.forward`."""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from diffusion_utils.denoisers import Conditional, NoiseEstimate


def Conv(channels_in, channels_out):
    """3x3 convolution, BatchNorm, GELU: (B, in, H, W) -> (B, out, H, W)."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=1, padding=1),
        nn.BatchNorm2d(channels_out),
        nn.GELU(),
    )


def DownConv(channels_in, channels_out):
    """Strided convolution, BatchNorm, GELU: (B, in, H, W) -> (B, out, H/2, W/2)."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1),
        nn.BatchNorm2d(channels_out),
        nn.GELU(),
    )


def UpConv(channels_in, channels_out):
    """Transposed convolution, BatchNorm, GELU: (B, in, H, W) -> (B, out, 2H, 2W)."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1),
        nn.BatchNorm2d(channels_out),
        nn.GELU(),
    )


def Flatten():
    """Average over the 7x7 map, GELU: (B, C, 7, 7) -> (B, C, 1, 1)."""
    return nn.Sequential(nn.AvgPool2d(7), nn.GELU())


def Unflatten(channels):
    """Spread one vector over a 7x7 map, BatchNorm, GELU: (B, C, 1, 1) -> (B, C, 7, 7)."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels, channels, 7, stride=7, padding=0),
        nn.BatchNorm2d(channels),
        nn.GELU(),
    )


def ConvBlock(channels_in, channels_out):
    """Two `Conv`: (B, in, H, W) -> (B, out, H, W)."""
    return nn.Sequential(Conv(channels_in, channels_out), Conv(channels_out, channels_out))


def DownBlock(channels_in, channels_out):
    """`DownConv` and `ConvBlock`: (B, in, H, W) -> (B, out, H/2, W/2)."""
    return nn.Sequential(DownConv(channels_in, channels_out), ConvBlock(channels_out, channels_out))


def UpBlock(channels_in, channels_out):
    """`UpConv` and `ConvBlock`: (B, in, H, W) -> (B, out, 2H, 2W)."""
    return nn.Sequential(UpConv(channels_in, channels_out), ConvBlock(channels_out, channels_out))


def FCBlock(features_in, features_out):
    """Linear, GELU, Linear: (B, in) -> (B, out)."""
    return nn.Sequential(
        nn.Linear(features_in, features_out), nn.GELU(), nn.Linear(features_out, features_out)
    )


class UNet(nn.Module):
    """U-Net for 28x28 grey images, optionally conditioned on time and on a class.

    Args:
        hidden: D, the channels at full resolution (128 in B1, 64 in B2 and B3).
        time: condition on t/T, added at 7x7 and at 14x14.
        num_classes: condition on a one-hot class, multiplied in at the same places; 0 for none.

    Source: the coursework's figures of the unconditional, time- and class-conditional U-Net.
    """

    def __init__(self, hidden=64, time=False, num_classes=0):
        super().__init__()
        D = hidden
        self.config = {"hidden": hidden, "time": time, "num_classes": num_classes}
        self.conv_in = ConvBlock(1, D)
        self.down1 = DownBlock(D, D)
        self.down2 = DownBlock(D, 2 * D)
        self.flatten = Flatten()
        self.unflatten = Unflatten(2 * D)
        self.up1 = UpBlock(4 * D, D)
        self.up2 = UpBlock(2 * D, D)
        self.conv_out = ConvBlock(2 * D, D)
        self.out = nn.Conv2d(D, 1, 3, stride=1, padding=1)
        if time:
            self.time1 = FCBlock(1, 2 * D)
            self.time2 = FCBlock(1, D)
        if num_classes:
            self.class1 = FCBlock(num_classes, 2 * D)
            self.class2 = FCBlock(num_classes, D)

    def forward(self, x, t=None, c=None):
        """Predict the clean image (B1) or the noise (B2, B3): (B, 1, 28, 28) -> (B, 1, 28, 28).

        Args:
            x: (B, 1, 28, 28) noisy image.
            t: (B,) t/T in [0, 1]; only for a network with time=True.
            c: (B, num_classes) one-hot, a row of zeros for "no class"; only with num_classes.

        Raises:
            ValueError: a shape is not as above, or a condition is missing or unknown.
        """
        self.check(x, t, c)
        t1, t2, c1, c2 = self.conditions(t, c)
        h28 = self.conv_in(x)  # (B, D, 28, 28)
        h14 = self.down1(h28)  # (B, D, 14, 14)
        h7 = self.down2(h14)  # (B, 2D, 7, 7)
        h = self.unflatten(self.flatten(h7))  # (B, 2D, 1, 1) -> (B, 2D, 7, 7)
        h = c1 * h + t1
        h = self.up1(torch.cat([h, h7], 1))  # (B, 4D, 7, 7) -> (B, D, 14, 14)
        h = c2 * h + t2
        h = self.up2(torch.cat([h, h14], 1))  # (B, 2D, 14, 14) -> (B, D, 28, 28)
        h = self.conv_out(torch.cat([h, h28], 1))  # (B, 2D, 28, 28) -> (B, D, 28, 28)
        return self.out(h)  # (B, 1, 28, 28)

    def conditions(self, t, c):
        """The shifts t1, t2 and the scales c1, c2, each (B, channels, 1, 1), or 0 and 1."""
        t1, t2, c1, c2 = 0, 0, 1, 1
        if self.config["time"]:
            t = t[:, None]
            t1, t2 = self.time1(t)[..., None, None], self.time2(t)[..., None, None]
        if self.config["num_classes"]:
            c1, c2 = self.class1(c)[..., None, None], self.class2(c)[..., None, None]
        return t1, t2, c1, c2

    def check(self, x, t, c):
        if x.ndim != 4 or x.shape[1:] != (1, 28, 28):
            raise ValueError(f"x must have shape (B, 1, 28, 28), got {tuple(x.shape)}")
        expected = {
            "t": (t, (len(x),) if self.config["time"] else None),
            "c": (c, (len(x), self.config["num_classes"]) if self.config["num_classes"] else None),
        }
        for name, (value, shape) in expected.items():
            if (None if value is None else tuple(value.shape)) != shape:
                got = "nothing" if value is None else f"shape {tuple(value.shape)}"
                raise ValueError(
                    f"{name} must be {shape or 'left out'} for this network, got {got}"
                )


def one_hot(labels, num_classes=10):
    """(B,) digits, -1 for "no class" -> (B, num_classes) float one-hot rows, zeros for "no class".

    Raises:
        ValueError: a label is not in -1 .. num_classes - 1.
    """
    labels = torch.as_tensor(labels, device="cpu")
    if ((labels < -1) | (labels >= num_classes)).any():
        raise ValueError(f"labels must be in -1 .. {num_classes - 1}, got {labels.tolist()}")
    return torch.eye(num_classes + 1)[labels][:, :num_classes]  # row -1 is the extra, cut-off class


@contextmanager
def evaluating(model):
    """Run `model` in eval mode, where BatchNorm uses its running statistics; then restore."""
    was_training = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was_training)


@dataclass(frozen=True)
class NoiseNetwork:
    """A trained noise-predicting `UNet` as a network of `Conditional`: `(x_t, t, *c) -> NoiseEstimate`.

    It is called in eval mode, on the device where it is; images come from and go back to theirs.
    Two that are of the same U-Net are equal, so that `denoisers.together` asks them in one batch.

    T: number of timesteps it was trained with.
    """

    unet: UNet
    T: int

    def __call__(self, x_t, t, *c):
        inputs = x_t, torch.full((len(x_t),), t / self.T), *c
        device = next(self.unet.parameters()).device
        with evaluating(self.unet):
            eps = self.unet(*(part.to(device) for part in inputs))
        return NoiseEstimate(eps.to(x_t.device))


def unet_denoiser(unet, T, labels=None):
    """A trained noise-predicting U-Net as a denoiser (x_t, t) -> NoiseEstimate.

    labels: (B,) digits for a class-conditional network, (1,) for all images alike, None for "no class".

    Raises:
        ValueError: labels for a network that knows no classes.
    """
    classes = unet.config["num_classes"]
    if labels is not None and not classes:
        raise ValueError("this network knows no classes; leave labels out")
    condition = [one_hot([-1] if labels is None else labels, classes)] if classes else []
    return Conditional(NoiseNetwork(unet, T), *condition)
