"""The training loop of the judges, which name pictures; that of the networks that draw is in `loop`."""

import torch
import torch.nn.functional as F
from tqdm import tqdm


def fit(model, batches, steps, *, weight_decay, label_smoothing=0.0, precision="no"):
    """Train a classifier on all batches -> the same, in eval mode.

    Args:
        model: images (B, C, H, W) -> logits (B, number of classes).
        batches: images and labels (B,) of each of the `steps`; may draw from torch's generator.
        precision: in which the network computes, "no" (which is fp32) or "bf16".

    The learning rate rises and falls once: Smith & Topin 2019, https://arxiv.org/abs/1708.07120.
    """
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for images, labels in (bar := tqdm(batches, total=steps, unit="step")):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return model.eval()
