"""What the pages run in the reader's browser, as files: python -m diffusion_utils.export FOLDER.

The networks become ONNX files, half precision on disk and single precision in use. live.json says
what there is; its schedules are the book's own numbers.
"""

import argparse
import copy
import gzip
import hashlib
import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch import nn

from diffusion_utils.emoji64.captions import ANYTHING, called
from diffusion_utils.emoji64.dataset import PATH as DRAWINGS
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.model import FOLDER as EMOJI64
from diffusion_utils.emoji64.model import load
from diffusion_utils.emoji64.network import pooled
from diffusion_utils.emoji64.text import TOKENS, TextEncoder, unit_variance
from diffusion_utils.files import ROOT, atomic
from diffusion_utils.mnist.data import MNIST_FOLDER, mnist
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE
from diffusion_utils.mnist.release import MODELS, released
from diffusion_utils.pictures import HOLES, IMAGES, shipped_image
from diffusion_utils.schedule import Schedule

LIVE = ROOT / "book" / "_static" / "live"
RUNTIMES = [LIVE / "ort.wasm.gz", LIVE / "ort.jspi.wasm.gz"]  # the second uses the graphics card
TOKENIZER = EMOJI64 / "tokenizer" / "tokenizer.json"
PICTURES = sorted(path.stem for path in IMAGES.glob("*.png"))
HYBRID_NEAR = "a skull with black outlines"  # what the live hybrid begins with


class FoldedConv(nn.Module):
    """A convolution and the BatchNorm after it, in eval mode, as one convolution: (B, C, H, W) -> same.

    Its weights are the product of those that ship and a scale, so that they are not rounded again.
    """

    def __init__(self, conv, norm):
        super().__init__()
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
        bias = ((conv.bias - norm.running_mean) * scale + norm.bias).detach()
        transposed = isinstance(conv, nn.ConvTranspose2d)  # its weight is (in, out, ..)
        self.convolve = F.conv_transpose2d if transposed else F.conv2d
        self.weight, self.stride, self.padding = conv.weight, conv.stride, conv.padding
        per_output = (1, -1, 1, 1) if transposed else (-1, 1, 1, 1)
        self.register_buffer("scale", scale.view(per_output))
        self.register_buffer("bias", bias)

    def forward(self, x):
        weight = self.weight * self.scale
        return self.convolve(x, weight, self.bias, self.stride, self.padding)


def folded(module):
    """A copy of a network in which no BatchNorm is left."""
    module = copy.deepcopy(module)
    for block in module.modules():
        if isinstance(block, nn.Sequential):
            for i in range(len(block) - 1, 0, -1):
                if isinstance(block[i], nn.BatchNorm2d):
                    block[i - 1] = FoldedConv(block[i - 1], block[i])
                    del block[i]
    return module


class TwoScales(nn.Module):
    """An `EmojiUNet` whose schedule is in tables that t (B,) reads, so that its forward can be traced.

    The refiner reads 16 channels, the last of them 0, in place of 15: on the graphics card, the
    pages' runtime (1.30.0) convolves 15 wrongly, without an error.
    """

    def __init__(self, unet):
        super().__init__()
        self.unet = unet = copy.deepcopy(unet)
        conv = unet.refiner.conv_in
        conv.weight = nn.Parameter(F.pad(conv.weight, (0, 0, 0, 0, 0, 1)))
        timesteps = torch.arange(unet.schedule.T)
        ones = torch.ones(len(timesteps), 1, 2, 2)
        scale, alpha_bar = pooled(unet.schedule, ones, timesteps)  # (E.2), (E.3)
        column = alpha_bar.float().view(-1, 1, 1, 1)
        timestep = unet.schedule.timestep(alpha_bar).float()
        tables = {
            "scale": scale[:, :1, :1, :1],
            "signal": column.sqrt(),
            "noise": (1 - column).sqrt(),
            "coarse": timestep,
        }
        for name, table in tables.items():
            self.register_buffer(name, table.clone())

    def forward(self, x_t, t, tokens, mask, pooled):
        i = t.long()
        scale, signal, noise, t_coarse = (
            table[i] for table in (self.scale, self.signal, self.noise, self.coarse)
        )
        x = F.avg_pool2d(x_t, 2) * scale  # (E.2)
        v = self.unet.base(x, t_coarse, tokens, mask, pooled)
        coarse = signal * x - noise * v  # (E.4)
        return self.unet.refiner(x_t, t, F.pad(coarse, (0, 0, 0, 0, 0, 1)))


class Text(nn.Module):
    """`TextEncoder` after its tokenizer: ids and mask (B, 12) -> tokens (B, 12, 384), pooled (B, 384)."""

    def __init__(self, encoder):
        super().__init__()
        self.model = copy.deepcopy(encoder.model)
        self.model.set_attn_implementation("eager")

    def forward(self, ids, mask):
        words = mask[..., None]
        tokens = self.model(input_ids=ids.long(), attention_mask=mask).last_hidden_state
        pooled = (tokens * words).sum(1) / words.sum(1)
        return unit_variance(tokens), unit_variance(pooled)


def to_onnx(network, outputs, **inputs):
    """Trace a network in eval mode -> the bytes of an ONNX file, half precision on disk.

    Args:
        outputs: the names of what the network returns.
        inputs: an example of each input; the file is for inputs of these shapes.
    """
    file = io.BytesIO()
    torch.backends.mha.set_fastpath_enabled(False)  # ONNX has no such operation
    with warnings.catch_warnings(action="ignore"):  # that shapes become constants
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            file,
            dynamo=False,  # the other exporter needs one more package
            opset_version=18,
            input_names=list(inputs),
            output_names=outputs,
            do_constant_folding=False,  # would store products in single precision
        )
    torch.backends.mha.set_fastpath_enabled(True)
    return in_half_on_disk(onnx.load_from_string(file.getvalue())).SerializeToString()


def in_half_on_disk(model):
    """Store each weight that half precision holds exactly in it, and cast it back when it is loaded."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        half = values.astype(np.float16)
        if values.dtype == np.float32 and (half == values).all():
            name, stored = tensor.name, f"{tensor.name} in half"
            tensor.CopyFrom(numpy_helper.from_array(half, stored))
            casts.append(helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def digits_network(name):
    """B1's, B2's or B3's newest network, for one picture: x, where there are t and c -> out."""
    network = list(released(name)[0].values())[-1]
    inputs = {"x": torch.rand(1, 1, 28, 28)}
    if network.config["time"]:
        inputs["t"] = torch.rand(1)
    if network.config["num_classes"]:
        inputs["c"] = torch.rand(1, network.config["num_classes"])
    return to_onnx(folded(network), ["out"], **inputs)


def emoji64_network(unet):
    """Emoji-64's network for one picture: x, t, tokens, mask, pooled -> out, the velocity."""
    return to_onnx(
        TwoScales(unet),
        ["out"],
        x=torch.rand(1, 3, 64, 64),
        t=torch.tensor([500.0]),
        tokens=torch.rand(1, TOKENS, 384),
        mask=torch.ones(1, TOKENS, dtype=torch.bool),
        pooled=torch.rand(1, 384),
    )


def text_network(encoder):
    """The text encoder for one prompt: ids, mask -> tokens, pooled."""
    ones = torch.ones(1, TOKENS, dtype=torch.int32)
    return to_onnx(Text(encoder), ["tokens", "pooled"], ids=ones, mask=ones)


def known_prompts():
    """The prompts whose conditions ship: none, any, every name that was learned, and 1.9's for near."""
    return ["", ANYTHING[0], *map(called, emoji().names), HYBRID_NEAR]


def conditions(encoder, prompts):
    """The condition of each prompt, in half precision: its tokens, 0 where there is none, and pooled."""
    tokens, mask, pooled = encoder(prompts)
    both = torch.cat([tokens * mask[..., None], pooled[:, None]], 1)
    return gzip.compress(both.half().numpy().tobytes(), mtime=0)


def pictures():
    """The pictures that ship, in half precision."""
    return torch.stack([shipped_image(name) for name in PICTURES]).half().numpy().tobytes()


def digits():
    """The first test digit of each class, as the chapters show them: bytes, 0 .. 255."""
    images, labels = mnist(train=False)
    first = [(labels == digit).nonzero()[0, 0] for digit in range(10)]
    return images[torch.stack(first)].numpy().tobytes()


def vocabulary():
    """The pieces of words that the text encoder knows, one a line, in the order of their ids."""
    words = json.loads(TOKENIZER.read_text())["model"]["vocab"]
    return "\n".join(sorted(words, key=words.get)).encode()


def fingerprint(sources):
    """A short digest of the files that something is made from, this one among them."""
    content = b"".join(path.read_bytes() for path in [Path(__file__), *sources])
    return hashlib.sha256(content).hexdigest()[:12]


def makers():
    """{name: (what makes the file's bytes, the files that it is made from)}."""
    package = ROOT / "diffusion_utils"
    digit = {
        f"{name}.onnx": (
            lambda name=name: digits_network(name),
            [package / "mnist/unet.py", MODELS / name / "SHA256SUMS"],
        )
        for name in ("b1", "b2", "b3")
    }
    unet = EMOJI64 / "unet"
    emoji64 = [package / "emoji64/network.py", unet / "config.json"]
    text = [package / "emoji64/text.py", EMOJI64 / "text_encoder/model.safetensors"]
    return {
        **digit,
        "emoji64.onnx": (
            lambda: emoji64_network(load().network.unet),
            [*emoji64, unet / "model.safetensors"],
        ),
        "text.onnx": (lambda: text_network(TextEncoder(EMOJI64)), text),
        "prompts.bin": (
            lambda: conditions(TextEncoder(EMOJI64), known_prompts()),
            [*text, DRAWINGS, TOKENIZER],
        ),
        "vocabulary.txt": (vocabulary, [TOKENIZER]),
        "pictures.bin": (pictures, sorted(IMAGES.glob("*.png"))),
        "digits.bin": (digits, [MNIST_FOLDER / "t10k-images-idx3-ubyte.gz"]),
    }


def about():
    """What the pages must know besides the files."""
    return {
        "schedules": {
            "mnist": MNIST_SCHEDULE.alpha_bar.tolist(),
            "emoji64": Schedule.cosine().alpha_bar.tolist(),
        },
        "prompts": known_prompts(),
        "pictures": PICTURES,
        "holes": HOLES,
    }


def export(folder):
    """Write what the pages need to a folder, unless it is there, and remove what has changed.

    A file's name holds a digest of what it was made from, so that no browser shows an old one.

    Returns:
        {name: path}; live.json tells the pages the same.
    """
    folder, files = Path(folder), {}
    for name, (make, sources) in makers().items():
        stem, suffix = name.split(".")
        files[name] = path = folder / f"{stem}-{fingerprint(sources)}.{suffix}"
        if not path.exists():
            for old in folder.glob(f"{stem}-*.{suffix}"):
                old.unlink()
            with atomic(path) as partial:
                partial.write_bytes(make())
    listed = {
        name: {"path": path.name, "bytes": path.stat().st_size} for name, path in files.items()
    }
    for runtime in RUNTIMES:
        # lies beside the scripts; behind its name is what makes a browser fetch another one
        path = f"{runtime.name}?{fingerprint([runtime])}"
        listed[runtime.name] = {"path": path, "bytes": runtime.stat().st_size}
    with atomic(folder / "live.json") as partial:
        partial.write_text(json.dumps({"files": listed, **about()}))
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where the files are written")
    for name, path in export(parser.parse_args().folder).items():
        print(f"{name:15} {path.stat().st_size / 1e6:6.1f} MB  {path}")


if __name__ == "__main__":
    main()
