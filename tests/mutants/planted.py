"""The faults that `make mutants` plants, one at a time, and the tests that should notice each."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A fault: `old` stands in `file` exactly once, and `new` takes its place.

    tests: files, or single tests, as pytest is given them.
    """

    fault: str
    file: str
    old: str
    new: str
    tests: str


def of(file, tests, *faults):
    """The mutants of one file that the same tests should notice: (fault, old, new), ..."""
    return [Mutant(fault, file, old, new, tests) for fault, old, new in faults]


MNIST, EMOJI64, TRAINING = (f"diffusion_utils/{room}" for room in ("mnist", "emoji64", "training"))

PLANTED = [
    # What is shown
    *of(
        "diffusion_utils/show.py", "tests/test_show.py",
        ("the rows of a figure are reversed",
         "zip(axes, rows, strict=True)", "zip(axes[::-1], rows, strict=True)"),
        ("a figure has no titles",
         "ax.set_title(title, fontsize=fontsize)", "ax.set_title('', fontsize=fontsize)"),
        ("titles are one column off",
         "zip(axes[0], titles or []", "zip(axes[0][1:], titles or []"),
        ("the running mean is 25 steps early",
         "middle = steps[window // 2 :][: len(mean)]", "middle = steps[: len(mean)]"),
        ("the running mean is of other losses",
         'np.convolve(losses, np.ones(window) / window, "valid")',
         'np.convolve(np.sort(losses), np.ones(window) / window, "valid")'),
        ("every figure of Part A is 0.2 too dark",
         "images.detach().cpu() / 2 + 0.5", "images.detach().cpu() / 2 + 0.3"),
        ("the columns of a table are aligned the other way",
         "'right' if all(map(like_a_number, column)) else 'left'",
         "'left' if all(map(like_a_number, column)) else 'right'"),
        ("a player shows its frames from the last to the first",
         "for frame in frames])", "for frame in frames[::-1]])"),
        ("the two sides of a slider are swapped",
         "before=data_url(to_pixels(before)[0]), after=data_url(to_pixels(after)[0])",
         "before=data_url(to_pixels(after)[0]), after=data_url(to_pixels(before)[0])"),
    ),
    *of(
        "diffusion_utils/diagrams.py", "tests/test_diagrams.py",
        ("the arrows of a diagram point backwards",
         '"", boxes[end][:2], boxes[start][:2],', '"", boxes[start][:2], boxes[end][:2],'),
        ("the pictures of a storyboard are under each other's title",
         "ax.text(x + 0.5, y + 1.04, title,", "ax.text(y + 0.5, x + 1.04, title,"),
    ),
    *of(
        "diffusion_utils/profile.py", "tests/test_profile.py",
        ("the profiles are swapped",
         'return full if PROFILE == "full" else fast', 'return fast if PROFILE == "full" else full'),
    ),
    *of(
        "diffusion_utils/pictures.py", "tests/test_images.py",
        ("every picture is 0.2 too dark",
         "(images.clamp(0, 1) * 255)", "((images - 0.2).clamp(0, 1) * 255)"),
        ("a photograph taken sideways is turned the wrong way",
         "6: Image.Transpose.ROTATE_270", "6: Image.Transpose.ROTATE_90"),
        ("a hole has its sides swapped",
         "mask[:, top:bottom, left:right] = 1", "mask[:, left:right, top:bottom] = 1"),
    ),
    # The core
    *of(
        "diffusion_utils/schedule.py", "tests/test_schedule.py",
        ("a step has the upper variance", "variance = (1 - alpha_bar_prev) / (1 - alpha_bar) * beta",
         "variance = beta"),
        ("the learned variance is read upside down", "share = (nu + 1) / 2", "share = (1 - nu) / 2"),
        ("noising on adds the noise of the whole way",
         "alpha = self.at(t, x) / self.at(t_prev, x)", "alpha = self.at(t, x)"),
        ("a timestep is one too late", "np.arange(self.T))", "np.arange(1, self.T + 1))"),
    ),
    *of(
        "diffusion_utils/denoisers.py",
        "tests/test_denoisers.py tests/test_tasks.py"
        " tests/test_unet.py::test_guidance_asks_the_network_once_and_is_the_formula",
        ("a guided estimate has the variance of the unconditional one",
         "(eps_c, nu), (eps_u, _) = both", "(eps_c, _), (eps_u, nu) = both"),
        ("estimates of one batch come back in another order",
         "zip(eps.chunk(n), nus", "zip(eps.chunk(n)[::-1], nus"),
        ("a view flips the sign of the variance", "view.back(nu)", "view.invert(nu)"),
        ("a guided step asks the network twice", 'None) != network', 'None) is not network'),
    ),
    *of(
        "diffusion_utils/sampling.py", "tests/test_sampling.py tests/test_tasks.py",
        ("all seeds draw the same picture", "manual_seed(int(seed))", "manual_seed(0)"),
        ("sampling adds no noise", "z = noise_like(x, generators)", "z = torch.zeros_like(x)"),
        ("resampling takes each step once too often", "* (times - 1)", "* times"),
        ("inpainting keeps the clean image outside, not the noised one",
         "(1 - mask) * schedule.forward(image, t, eps)", "(1 - mask) * image"),
    ),
    *of(
        "diffusion_utils/views.py", "tests/test_views.py",
        ("jigsaw shuffles nothing", "tiles = tiles[torch.randperm(pieces**2, generator=generator)]",
         "tiles = tiles[torch.arange(pieces**2)]"),
        ("a quarter turn goes clockwise", "lambda x: x.rot90(quarters, (2, 3))",
         "lambda x: x.rot90(quarters, (3, 2))"),
        ("a band between two blurs keeps what is coarser", "finer(x) - coarser(x)", "finer(x)"),
    ),
    *of(
        "diffusion_utils/tasks.py", "tests/test_tasks.py",
        ("SDEdit leaves its first step out", "later = timesteps[i_start:]",
         "later = timesteps[i_start + 1 :]"),
        ("a hybrid shows its prompts the other way round",
         "model.denoiser(checked(prompt)) for prompt in prompts]",
         "model.denoiser(checked(prompt)) for prompt in prompts[::-1]]"),
        ("a hybrid image starts from the far picture alone", "mixed(alone, *sigmas), i_start",
         "alone[0].clamp(-1, 1), i_start"),
        ("inpainting takes each step once, whatever is asked",
         "resampled(timesteps, times)", "resampled(timesteps, 1)"),
    ),
    *of(
        "diffusion_utils/metrics.py",
        "tests/test_metrics.py tests/test_images.py::test_a_smooth_image_has_no_seam_and_a_pasted_one_has",
        ("PSNR forgets the range of its images",
         'data_range=float(peak), reduction="none", dim=', 'data_range=1.0, reduction="none", dim='),
        ("the distance of two sets leaves the real one out",
         "metric.update(one, real=True)", "metric.update(other, real=True)"),
        ("diversity is measured across the classes", "features[labels == c]", "features"),
        ("a seam is compared with the wrong neighbours",
         "elsewhere.append(jumps[:, ~border])", "elsewhere.append(jumps[:, border])"),
    ),
    *of(
        "diffusion_utils/files.py",
        "tests/test_files.py"
        " tests/test_release.py::test_stopped_between_the_two_renames_the_old_folder_comes_back",
        ("a file is not compared with its digest",
         "if digest(path) != sha256:", "if not digest(path):"),
        ("a folder is lost between two renames",
         "if old.exists() and not folder.exists():", "if not old.exists() and not folder.exists():"),
    ),
    # Training
    *of(
        f"{TRAINING}/loop.py",
        "tests/test_training.py::test_gradients_are_clipped_and_weights_averaged_as_the_task_says",
        ("gradients are never clipped", "if max_norm:", "if not optimizer:"),
        ("the learning rate stays as it began", 'group["lr"] = lr', 'group["lr"] = group["lr"]'),
        ("the average forgets at once", "mean.lerp_(now, 1 - decay)", "mean.lerp_(now, decay)"),
    ),
    *of(
        f"{EMOJI64}/recipe.py",
        "tests/test_training.py::test_emoji64_clips_its_gradients_and_the_coursework_does_not"
        " tests/test_emoji64_training.py::test_a_pass_shows_each_drawing_once_and_those_of_plain_styles_twice"
        " tests/test_emoji64_drawings.py",
        ("Emoji-64 does not clip its gradients", "max_norm = 1.0", "max_norm = None"),
        ("each pass has the order of the first", "generator_for(self.recipe.seed, 0, epoch)",
         "generator_for(self.recipe.seed, 0, 0)"),
        ("captions are never left out", "if u < self.recipe.drop_text:", "if u < 0:"),
    ),
    *of(
        f"{TRAINING}/runs.py",
        "tests/test_emoji64_training.py::test_a_killed_run_ends_as_an_uninterrupted_one",
        ("a run goes on without its optimiser's moments",
         '{"state": moments}', '{"state": {}}'),
        ("a history keeps what came after the checkpoint", "if row.step <= done]", "if row.step]"),
    ),
    *of(
        f"{TRAINING}/runs.py", "tests/test_release.py",
        ("what is as well finished is replaced", "if steps <= before:", "if steps < before:"),
    ),
    *of(
        f"{TRAINING}/muon.py", "tests/test_muon.py",
        ("Muon takes the last layer too", '{"time", "conv_in", "out"}', '{"time", "conv_in"}'),
        ("a step of Muon is scaled by the smaller side",
         "max(direction.shape) ** 0.5", "min(direction.shape) ** 0.5"),
    ),
    # The digits
    *of(
        f"{MNIST}/judge.py",
        "tests/test_models.py::test_the_judge_of_digits_learns_their_names_shifted_turned_and_scaled",
        ("the judge of digits learns wrong labels",
         "for part in parts]), labels[chosen]", "for part in parts]), labels[: len(chosen)]"),
        ("the judge of digits sees no disturbance",
         "augment(part) for part in", "part for part in"),
    ),
    *of(
        f"{MNIST}/objectives.py",
        "tests/test_training.py::test_class_objective tests/test_training.py::test_noise_objective",
        ("the class is kept one time in ten", ">= p_uncond", "< p_uncond"),
        ("the network is asked for the picture, not for the noise",
         "t / schedule.T), eps  # (B2.1)", "t / schedule.T), x_0  # (B2.1)"),
        ("time ends above 1", "t / schedule.T)", "t / (schedule.T - 1))"),
    ),
    *of(
        f"{MNIST}/recipes.py", "tests/test_training.py::test_an_epoch_shows_each_image_once_with_its_label",
        ("digits have each other's labels",
         "self.labels[chosen]", "self.labels[chosen.sort().values]"),
    ),
    *of(
        f"{MNIST}/unet.py", "tests/test_unet.py",
        ("the class is not multiplied in at 7x7", "h = c1 * h + t1", "h = h + t1"),
        ("samples are drawn in train mode", "    model.eval()\n", "    model.train()\n"),
    ),
    # The emoji
    *of(
        f"{EMOJI64}/judge.py",
        "tests/test_emoji64_judge.py::test_it_learns_the_right_names_of_what_is_disturbed",
        ("the judge of emoji learns wrong labels",
         "yield x, data.name_index[chosen]", "yield x, data.name_index[chosen - 1]"),
        ("the judge of emoji sees no disturbance",
         "views(data, chosen, disturb).contiguous", "views(data, chosen, lambda x: x).contiguous"),
    ),
    *of(
        f"{EMOJI64}/captions.py", "tests/test_emoji64_drawings.py",
        ("a unicorn is an unicorn", '"aeio"', '"aeiou"'),
        ("a red apple painted blue is still called red",
         "if word not in COLOURS]", "if word]"),
    ),
    *of(
        f"{EMOJI64}/network.py", "tests/test_emoji64_network.py",
        ("half a picture is said to have half its noise", "scale = alpha_bar + (1 - alpha_bar) / 4",
         "scale = alpha_bar + (1 - alpha_bar) / 2"),
        ("the base is told the timestep of the large picture",
         "self.schedule.timestep(alpha_bar).to(x)", "t.to(x)"),
        ("a block has no scale of its own", "* (1 + scale) + shift", "+ shift"),
    ),
    *of(
        f"{EMOJI64}/drawings.py", "tests/test_emoji64_drawings.py",
        ("a drawing lies on black", "(1 - images[:, 3:]) * background", "0 * background"),
        ("a drawing is moved by twice as much",
         "x, y = uniform(-0.03, 0.03), uniform(-0.03, 0.03)",
         "x, y = uniform(-0.06, 0.06), uniform(-0.06, 0.06)"),
    ),
    *of(
        "diffusion_utils/text_to_image.py", "tests/test_tasks.py",
        ("every prompt is read as the first one",
         "return self.conditions[prompt]", "return next(iter(self.conditions.values()))"),
    ),
    *of(
        "diffusion_utils/views.py", "tests/test_tasks.py",
        ("a mixture shows its pictures the other way round", "zip(bands(*sigmas), pictures, strict=True)",
         "zip(bands(*sigmas), pictures[::-1], strict=True)"),
    ),
    *of(
        "diffusion_utils/prompts.py", "tests/test_prompts.py",
        ("what the encoder does not know is not said",
         'log.warning("the text encoder does not know', 'log.debug("the text encoder does not know'),
    ),
    *of(
        "diffusion_utils/__main__.py", "tests/test_main.py",
        ("the command ignores the guidance scale of a hybrid",
         "(args.blur,), args.gamma)", "(args.blur,))"),
        ("the picture that is read may be written over", "check_output(args.out, path)", "path"),
    ),
    *of(
        f"{EMOJI64}/text.py", "tests/test_emoji64.py::test_a_prompt_as_a_whole_is_the_mean_of_its_words",
        ("the prompt as a whole counts its padding", "(tokens * mask[..., None]).sum(1)", "tokens.sum(1)"),
    ),
    *of(
        "diffusion_utils/deepfloyd/stage_2.py",
        "tests/test_deepfloyd.py::test_upsampling_looks_at_the_small_image_and_the_prompt",
        ("the second stage does not look at the small image",
         "torch.cat([x_t, shown], 1)", "torch.cat([x_t, x_t], 1)"),
    ),
    # The live pages, and the build
    *of(
        "diffusion_utils/export.py",
        "tests/test_export.py::test_the_networks_of_part_b"
        " tests/test_export.py::test_the_prompts_that_ship_are_those_of_the_encoder",
        ("a convolution forgets what its BatchNorm subtracts",
         "conv.bias - norm.running_mean", "conv.bias"),
        ("the browser's prompts keep their padding", "tokens * mask[..., None]", "tokens"),
    ),
    *of(
        "book/_ext/stale.py",
        "tests/test_execution.py::test_an_edit_of_what_chapters_read_changes_the_key"
        " tests/test_execution.py::test_both_profiles_keep_their_results",
        ("Part B is not executed again for its own weights",
         'return "mnist" in path or path.startswith', "return path.startswith"),
        ("both profiles share their results", ' / variables()["BOOK_PROFILE"]', ' / "full"'),
    ),
    *of(
        "book/_ext/execute.py",
        "tests/test_execution.py::test_the_chapter_that_took_longest_comes_first"
        " tests/test_execution.py::test_memory_limits_how_many_chapters_run_at_once",
        ("the shortest chapter comes first",
         "-seconds.get(path, unknown)", "seconds.get(path, unknown)"),
    ),
    *of(
        "book/_ext/equations.py", "tests/test_equations.py",
        ("an equation leads to a chapter that only repeats it",
         "[*sorted(env.found_docs - {HOME}), HOME]", "[HOME, *sorted(env.found_docs - {HOME})]"),
    ),
    *of(
        "book/_ext/pictures.py", "tests/test_images_of_the_site.py",
        ("pages reserve a place with its sides swapped",
         "width, height = sizes[tag[1]]", "height, width = sizes[tag[1]]"),
    ),
    *of(
        "book/_ext/check_site.py", "tests/test_check_site.py",
        ("a picture without alt text passes",
         'attributes.get("alt", ".png")', 'attributes.get("alt", "")'),
    ),
]  # fmt: skip
