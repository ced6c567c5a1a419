"""DeepFloyd IF in small: the same classes with few channels and random weights, saved to disk."""

import torch
from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
from transformers import T5Config, T5EncoderModel, T5TokenizerFast

LARGE = 72  # pixels of stage II's images: more than stage I's, few enough to be quick


def scheduler(**clipping):
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        prediction_type="epsilon",
        **clipping,
    )


def unclipped():
    """Stage I's configuration, but for the thresholding of x0_hat, which the coursework's loop leaves out."""
    return scheduler(clip_sample=False, thresholding=False)


def clipped():
    """Stage II's configuration: the threshold is between 1 and 1, which is clipping."""
    return scheduler(thresholding=True, sample_max_value=1.0, dynamic_thresholding_ratio=0.95)


def tokenizer():
    letters = [(f"▁{c}", -2.0) for c in "abcdefghijklmnopqrstuvwxyz"]
    letters += [(c, -3.0) for c in "abcdefghijklmnopqrstuvwxyz"]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return T5TokenizerFast(vocab=[*special, *letters], extra_ids=0)


def unet(size, channels_in=3, noise_level=False):
    options = (
        {"class_embed_type": "timestep", "time_embedding_act_fn": "gelu"} if noise_level else {}
    )
    return UNet2DConditionModel(
        sample_size=size,
        in_channels=channels_in,
        out_channels=6,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        cross_attention_dim=8,
        encoder_hid_dim=8,
        attention_head_dim=16,  # one head: with more, attention takes most of the time
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=4,
        act_fn="gelu",
        time_embedding_type="positional",
        **options,
    ).eval()


def pipeline(size=64):
    """An IFPipeline with stage I's classes."""
    torch.manual_seed(0)
    text = T5Config(vocab_size=64, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    return IFPipeline(
        tokenizer=tokenizer(),
        text_encoder=T5EncoderModel(text).eval(),
        unet=unet(size),
        scheduler=unclipped(),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def save_stage_2(folder):
    torch.manual_seed(1)
    unet(LARGE, channels_in=6, noise_level=True).save_pretrained(folder / "unet")
    clipped().save_pretrained(folder / "scheduler")
    return folder
