import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

from diffusion_utils.denoisers import guided, together
from diffusion_utils.mnist.unet import UNet, evaluating, one_hot, unet_denoiser
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import Schedule, spaced_timesteps

VARIANTS = {
    "unconditional 128": (dict(hidden=128), 7_891_073),
    "unconditional 64": (dict(hidden=64), 1_975_361),
    "time": (dict(hidden=64, time=True), 1_996_417),
    "class": (dict(hidden=64, time=True, num_classes=10), 2_019_201),
}


def network(**config):
    """A network whose biases and BatchNorm statistics are not the zeros and ones they start from."""
    torch.manual_seed(0)
    unet = UNet(**config)
    for name, tensor in unet.state_dict().items():
        if tensor.ndim == 1:
            tensor.add_(torch.randn(tensor.shape) * 0.1)
        if name.endswith("running_var"):
            tensor.mul_(0.2)  # about what an untrained layer puts out, so that signals do not fade
    return unet.eval()


def inputs(config, size=3):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(size, 1, 28, 28, generator=g)
    t = torch.rand(size, generator=g) if config.get("time") else None
    c = one_hot(torch.arange(size) - 1) if config.get("num_classes") else None
    return x, t, c


@pytest.mark.parametrize("config, count", VARIANTS.values(), ids=VARIANTS)
def test_parameter_count(config, count):
    assert sum(p.numel() for p in UNet(**config).parameters()) == count


def by_the_book(state, D, x, t=None, c=None):
    """The U-Net once more, from its description: numbers out of `state`, nothing but functions."""

    def norm(name, h):
        mean, var, w, b = (
            state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
        )
        shape = (1, -1, 1, 1)
        h = (h - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt() * w.view(shape) + b.view(shape)
        return F.gelu(h)

    def conv(name, h, stride=1):
        return F.conv2d(h, state[f"{name}.weight"], state[f"{name}.bias"], stride=stride, padding=1)

    def up(name, h, stride, padding):
        w, b = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.conv_transpose2d(h, w, b, stride=stride, padding=padding)

    def conv_block(name, h):
        for i in "01":
            h = norm(f"{name}.{i}.1", conv(f"{name}.{i}.0", h))
        return h

    def down_block(name, h):
        return conv_block(f"{name}.1", norm(f"{name}.0.1", conv(f"{name}.0.0", h, stride=2)))

    def up_block(name, h):
        return conv_block(f"{name}.1", norm(f"{name}.0.1", up(f"{name}.0.0", h, 2, 1)))

    def fc_block(name, h):
        h = F.gelu(h @ state[f"{name}.0.weight"].T + state[f"{name}.0.bias"])
        return (h @ state[f"{name}.2.weight"].T + state[f"{name}.2.bias"])[:, :, None, None]

    at28 = conv_block("conv_in", x)
    at14 = down_block("down1", at28)
    at7 = down_block("down2", at14)
    vector = F.gelu(at7.mean((2, 3), keepdim=True))
    unflatten = norm("unflatten.1", up("unflatten.0", vector, 7, 0))
    assert [h.shape[1] for h in (at28, at14, at7, unflatten)] == [D, D, 2 * D, 2 * D]
    if c is not None:
        unflatten = fc_block("class1", c) * unflatten
    if t is not None:
        unflatten = unflatten + fc_block("time1", t.view(-1, 1))
    up1 = up_block("up1", torch.cat([unflatten, at7], 1))
    if c is not None:
        up1 = fc_block("class2", c) * up1
    if t is not None:
        up1 = up1 + fc_block("time2", t.view(-1, 1))
    up2 = up_block("up2", torch.cat([up1, at14], 1))
    assert [h.shape[1] for h in (up1, up2)] == [D, D]
    return conv("out", conv_block("conv_out", torch.cat([up2, at28], 1)))


@pytest.mark.parametrize("config", [v[0] for v in VARIANTS.values()], ids=VARIANTS)
@torch.no_grad()
def test_forward_equals_a_second_one_from_the_description(config):
    unet = network(**config)
    x, t, c = inputs(config)
    output = unet(x, t, c)
    assert output.shape == (3, 1, 28, 28)
    expected = by_the_book(unet.state_dict(), config["hidden"], x, t, c)
    assert expected.std() > 1e-3
    assert_close(output, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("config", [v[0] for v in VARIANTS.values()], ids=VARIANTS)
def test_every_parameter_takes_part(config):
    unet = network(**config)
    unet(*inputs(config)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in unet.parameters())


CLASS = dict(hidden=8, time=True, num_classes=10)


@torch.no_grad()
def test_no_class_is_a_row_of_zeros():
    unet, (x, _, _) = network(**CLASS), inputs(CLASS)
    none = unet_denoiser(unet, 300)(x, 30).eps
    assert unet_denoiser(unet, 300, torch.full((3,), -1))(x, 30).eps.equal(none)
    assert unet(x, torch.full((3,), 0.1), torch.zeros(3, 10)).equal(none)
    assert not torch.allclose(unet_denoiser(unet, 300, torch.tensor([0, 1, 2]))(x, 30).eps, none)


@torch.no_grad()
def test_denoiser_gives_each_image_its_label_and_its_time():
    unet, (x, _, _) = network(**CLASS), inputs(CLASS)
    eps, v = unet_denoiser(unet, 300, torch.tensor([7, -1, 0]))(x, 90)
    c = torch.zeros(3, 10)
    c[0, 7] = c[2, 0] = 1
    assert_close(eps, unet(x, torch.full((3,), 0.3), c))
    assert v is None


@torch.no_grad()
def test_guidance_asks_the_network_once_and_is_the_formula():
    unet, (x, _, _) = network(**CLASS), inputs(CLASS)
    labels, times, asked = torch.tensor([7, 2, 0]), torch.full((3,), 0.3), []
    eps_c = unet(x, times, F.one_hot(labels, 10).float())
    eps_u = unet(x, times, torch.zeros(3, 10))
    unet.register_forward_hook(lambda module, given, _: asked.append(len(given[0])))
    denoise = guided(unet_denoiser(unet, 300, labels), unet_denoiser(unet, 300), 3)
    assert_close(denoise(x, 90).eps, eps_u + 3 * (eps_c - eps_u))
    assert asked == [6]


@torch.no_grad()
@pytest.mark.parametrize("config", [CLASS, dict(hidden=8, time=True)], ids=["class", "time"])
def test_other_networks_and_other_numbers_of_timesteps_are_not_taken_for_the_same(config):
    x, unets = inputs(CLASS)[0], [network(**config), network(**config)]
    for parameter in unets[1].parameters():
        parameter.mul_(1.2)
    denoisers = [unet_denoiser(unet, T) for unet in unets for T in (300, 200)]
    apart = [denoise(x, 90).eps for denoise in denoisers]
    assert all(not torch.allclose(one, apart[0]) for one in apart[1:])
    for one, estimate in zip(apart, together(*denoisers)(x, 90), strict=True):
        assert_close(estimate.eps, one)
    for estimate in together(denoisers[0], denoisers[0])(x, 90):
        assert_close(estimate.eps, apart[0])


@torch.no_grad()
def test_a_label_for_each_image_or_one_for_all():
    unet, (x, _, _) = network(**CLASS), inputs(CLASS)
    alike = unet_denoiser(unet, 300, [7])(x, 30).eps
    assert_close(alike, unet_denoiser(unet, 300, torch.full((3,), 7))(x, 30).eps)
    with pytest.raises(ValueError, match="conditions for 2 images, got 3"):
        unet_denoiser(unet, 300, [7, 1])(x, 30)


def test_one_hot():
    assert one_hot(torch.tensor([2, -1, 0]), 3).tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    labels = torch.arange(10)
    assert one_hot(labels).equal(F.one_hot(labels, 10).float())
    for bad in (-2, 10):
        with pytest.raises(ValueError, match="labels must be in -1 .. 9"):
            one_hot([0, bad])


@pytest.mark.parametrize(
    "shape", [(28, 28), (1, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32), (2, 1, 28, 27)]
)
def test_wrong_image_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"x must have shape \(B, 1, 28, 28\)"):
        UNet(4)(torch.zeros(shape))


T, C = torch.zeros(2), torch.zeros(2, 10)


@pytest.mark.parametrize(
    "config, t, c, message",
    [
        (dict(), T, None, "t must be left out .* got shape"),
        (dict(), None, C, "c must be left out .* got shape"),
        (dict(time=True), None, None, r"t must be \(2,\) .* got nothing"),
        (dict(time=True), torch.zeros(3), None, r"t must be \(2,\)"),
        (dict(time=True), torch.zeros(2, 1), None, r"t must be \(2,\)"),
        (dict(time=True), torch.tensor(0.5), None, r"t must be \(2,\)"),
        (dict(time=True), T, C, "c must be left out"),
        (dict(time=True, num_classes=10), None, C, r"t must be \(2,\)"),
        (dict(time=True, num_classes=10), T, None, r"c must be \(2, 10\) .* got nothing"),
        (dict(time=True, num_classes=10), T, torch.zeros(2, 9), r"c must be \(2, 10\)"),
        (dict(time=True, num_classes=10), T, torch.tensor([1, 2]), r"c must be \(2, 10\)"),
    ],
)
def test_missing_superfluous_or_misshapen_condition_is_refused(config, t, c, message):
    with pytest.raises(ValueError, match=message):
        UNet(4, **config)(torch.zeros(2, 1, 28, 28), t, c)


SCHEDULE, FEW = Schedule.linear(T=300), spaced_timesteps(300, 3)


@pytest.mark.parametrize("training", [True, False])
def test_mode_is_restored_after_sampling(training):
    unet = network(hidden=4, time=True).train(training)
    modes = []
    unet.up1.register_forward_hook(lambda module, *_: modes.append(module.training))
    sample(unet_denoiser(unet, 300), (1, 28, 28), FEW, SCHEDULE, seeds=[0])
    # while it samples, BatchNorm uses its running statistics
    assert modes == [False] * 3
    assert all(module.training == training for module in unet.modules())


@pytest.mark.parametrize("training", [True, False])
def test_mode_is_restored_after_an_error(training):
    unet = network(hidden=4, time=True).train(training)
    with pytest.raises(ValueError, match="x must have shape"):
        sample(unet_denoiser(unet, 300), (3, 28, 28), FEW, SCHEDULE, seeds=[0])
    assert all(module.training == training for module in unet.modules())
    with pytest.raises(KeyboardInterrupt), evaluating(unet):
        raise KeyboardInterrupt
    assert all(module.training == training for module in unet.modules())


@torch.no_grad()
def test_batch_mates_do_not_change_an_estimate():
    unet = network(hidden=8, time=True).train()
    x = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    other = torch.cat([x[:1], 100 * x[1:]])
    denoise = unet_denoiser(unet, 300)
    assert_close(denoise(other, 9).eps[:1], denoise(x, 9).eps[:1])
    times = torch.full((4,), 9 / 300)
    # in train mode they do
    assert not torch.allclose(unet(other, times)[:1], unet(x, times)[:1])


@torch.no_grad()
def test_channels_last_changes_nothing():
    unet, (x, t, c) = network(**CLASS), inputs(CLASS)
    expected = unet(x, t, c)
    assert_close(
        unet.to(memory_format=torch.channels_last)(x, t, c), expected, rtol=1e-4, atol=1e-4
    )


def test_a_network_on_the_gpu_draws_images_on_the_cpu(monkeypatch):
    """With tensors that know their device but hold no values: mixing devices is an error."""
    monkeypatch.setattr(torch.Tensor, "any", lambda self: False)  # checks need values
    monkeypatch.setattr(torch.Tensor, "all", lambda self: True)
    timesteps, schedule = spaced_timesteps(300, 2), Schedule.linear(1e-4, 0.02, T=300)
    with FakeTensorMode(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            unet = UNet(8, time=True, num_classes=10)
        seen = []
        unet.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
        drawn = sample(
            unet_denoiser(unet, 300, torch.tensor([3, 4])),
            (1, 28, 28),
            timesteps,
            schedule,
            seeds=[0, 1],
        )
    assert drawn.device.type == "cpu" and drawn.shape == (2, 1, 28, 28)
    assert len(seen) == 6 and all(part.is_cuda for part in seen)


def test_labels_for_a_network_without_classes_are_refused():
    with pytest.raises(ValueError, match="knows no classes"):
        unet_denoiser(UNet(8, time=True), 300, torch.tensor([1]))
