"""The files of the live pages: each network as ONNX computes what PyTorch does, and none lags behind."""

import gzip
import json
import runpy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from diffusion_utils import export
from diffusion_utils.emoji64.captions import ANYTHING
from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.files import ROOT
from diffusion_utils.mnist.release import released


def run(content, **inputs):
    """What an ONNX file computes, by another library than ours."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options)
    outputs = session.run(None, {name: x.numpy() for name, x in inputs.items()})
    return [torch.from_numpy(output) for output in outputs]


@pytest.fixture(scope="module")
def encoder():
    return TextEncoder(FOLDER)


@pytest.mark.parametrize("name", ["b1", "b2", "b3"])
def test_the_networks_of_part_b(name):
    network = list(released(name)[0].values())[-1]
    inputs = {"x": torch.randn(1, 1, 28, 28)}
    if name != "b1":
        inputs["t"] = torch.tensor([0.4])
    if name == "b3":
        inputs["c"] = torch.eye(10)[[7]]
    content = export.digits_network(name)
    with torch.no_grad():
        expected = network(*inputs.values())
    assert_close(run(content, **inputs)[0], expected, atol=1e-5, rtol=1e-5)
    kinds = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert "BatchNormalization" not in kinds
    weights = sum(p.numel() for p in network.parameters())
    assert 2 * weights < len(content) < 2.1 * weights + 50_000


def random_unet():
    """An Emoji-64 whose every weight counts, in numbers that half precision holds."""
    torch.manual_seed(0)
    unet = EmojiUNet((32, 32, 64), 1, 384, 64, 32, 32, 1).eval()
    for weight in unet.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.02)
        weight.data = weight.data.half().float()
    return unet


@pytest.mark.parametrize("t", [0, 500, 999])
def test_the_network_of_part_a(encoder, t):
    unet, x = random_unet(), torch.randn(1, 3, 64, 64)
    tokens, mask, pooled = encoder(["a rocket ship"])
    prompt = {"tokens": tokens, "mask": mask, "pooled": pooled}
    with torch.no_grad():
        expected = unet(x, torch.tensor([t]), *prompt.values())
        content = export.emoji64_network(unet)
    (v,) = run(content, x=x, t=torch.tensor([float(t)]), **prompt)
    assert_close(v, expected, atol=1e-5, rtol=1e-5)
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(content)).graph
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in graph.value_info
    }
    read = [shapes[node.input[0]][1] for node in graph.node if node.op_type == "Conv"]
    assert len(read) > 10 and all(channels % 4 == 0 for channels in read)


@pytest.mark.parametrize("prompt", ["a rocket ship", "", "eleven words " * 6])
def test_the_text_encoder(encoder, prompt):
    text = encoder.tokenizer(
        [prompt], padding="max_length", truncation=True, max_length=12, return_tensors="pt"
    )
    ids, mask = text["input_ids"].int(), text["attention_mask"].int()
    tokens, pooled = run(export.text_network(encoder), ids=ids, mask=mask)
    expected_tokens, here, expected_pooled = encoder([prompt])
    assert_close(tokens[here], expected_tokens[here], atol=1e-4, rtol=1e-4)
    assert_close(pooled, expected_pooled, atol=1e-4, rtol=1e-4)


def test_the_prompts_that_ship_are_those_of_the_encoder(encoder):
    prompts = export.known_prompts()
    assert prompts[:2] == ["", ANYTHING[0]]
    unpacked = gzip.decompress(export.conditions(encoder, prompts[:3]))
    values = torch.from_numpy(np.frombuffer(unpacked, np.float16).astype(np.float32))
    tokens, pooled = values.view(3, 13, 384).split([12, 1], 1)
    expected, mask, expected_pooled = encoder(prompts[:3])
    assert_close(tokens[mask], expected[mask], atol=2e-3, rtol=1e-3)
    assert_close(pooled[:, 0], expected_pooled, atol=2e-3, rtol=1e-3)
    assert (tokens[..., 0] != 0).equal(mask)  # as the page sees which there are


def test_a_file_that_is_made_from_something_else_now_is_made_anew(tmp_path, monkeypatch):
    source, made = tmp_path / "weights", []

    def make():
        made.append(source.read_bytes())
        return made[-1]

    monkeypatch.setattr(export, "makers", lambda: {"b1.onnx": (make, [source])})
    monkeypatch.setattr(export, "about", dict)
    folder, names = tmp_path / "live", []
    for content in b"one", b"one", b"two":
        source.write_bytes(content)
        path = export.export(folder)["b1.onnx"]
        assert path.read_bytes() == content
        names.append(path.name)
        listed = json.loads((folder / "live.json").read_text())["files"]
        assert listed["b1.onnx"] == {"path": path.name, "bytes": 3}
    assert made == [b"one", b"two"] and names[0] == names[1] != names[2]
    assert sorted(p.name for p in folder.iterdir()) == sorted([names[2], "live.json"])


def test_what_a_network_is_made_from_names_its_weights_and_its_code():
    for name, (_, sources) in export.makers().items():
        assert sources and all(path.exists() for path in sources)
        if name.endswith(".onnx"):
            kinds = {path.suffix for path in sources}
            assert ".py" in kinds and {"", ".safetensors"} & kinds


def test_the_stored_vectors_are_what_the_package_computes_now():
    folder = ROOT / "tests" / "js"
    now = runpy.run_path(str(folder / "vectors.py"))["vectors"]()
    stored = json.loads((folder / "vectors.json").read_text())

    def compare(a, b):
        if isinstance(a, dict):
            assert a.keys() == b.keys()
            a, b = list(a.values()), list(b.values())
        if isinstance(a, list):
            assert len(a) == len(b)
            for one, other in zip(a, b, strict=True):
                compare(one, other)
        elif isinstance(a, float):
            assert a == pytest.approx(b, rel=1e-4, abs=1e-3)
        else:
            assert a == b

    compare(stored, now)
