"""Train the digit classifier that judges the samples: python -m diffusion_utils.mnist.judge.

It is written to runs/classifier. `--out models/mnist/classifier.safetensors` replaces the one that
ships; what was measured with that must then be measured again.
"""

import argparse
import sys
from pathlib import Path

import torch
from torchvision.transforms import v2

from diffusion_utils.files import ROOT, check_recorded, load_tensors, record_sha256, save_tensors
from diffusion_utils.metrics import DigitClassifier, accuracy
from diffusion_utils.mnist.data import mnist
from diffusion_utils.pictures import to_unit
from diffusion_utils.training.classifier import fit
from diffusion_utils.training.runtime import keep_freed_memory

WEIGHTS = ROOT / "models" / "mnist" / "classifier.safetensors"
GOOD_ENOUGH = 0.993  # of the test digits named right, to judge others by
BATCH_SIZE = 128


def train_classifier(epochs):
    """A `DigitClassifier` trained on the 60,000 digits, shifted, turned and scaled a little."""
    images, labels = mnist(train=True)
    steps = epochs * -(-len(images) // BATCH_SIZE)
    with torch.random.fork_rng():
        torch.manual_seed(180)
        model = DigitClassifier()
        return fit(model, batches(images, labels, epochs), steps, weight_decay=0.01)


def batches(images, labels, epochs):
    """Images (B, 1, 28, 28) in [0, 1] as the judge sees them in training, and their labels (B,)."""
    augment = v2.RandomAffine(10, translate=(0.08, 0.08), scale=(0.9, 1.1))
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(BATCH_SIZE):
            parts = to_unit(images[chosen]).split(16)  # one disturbance for each
            yield torch.cat([augment(part) for part in parts]), labels[chosen]


def accuracy_on_test_digits(model):
    """The share of the 10,000 test digits that a `DigitClassifier` names right."""
    images, labels = mnist(train=False)
    return accuracy(model, to_unit(images), labels)[0]


def load_classifier():
    """The shipped `DigitClassifier`, in eval mode.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or not the recorded one.
    """
    check_recorded(WEIGHTS)
    model = DigitClassifier()
    model.load_state_dict(load_tensors(WEIGHTS)[0])
    return model.eval()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", default="runs/classifier/classifier.safetensors")
    args = parser.parse_args()
    keep_freed_memory()
    model = train_classifier(args.epochs)
    result = accuracy_on_test_digits(model)
    if Path(args.out).resolve() == WEIGHTS and result <= GOOD_ENOUGH:
        sys.exit(f"test accuracy {result:.4f}: not good enough, {WEIGHTS} is unchanged")
    save_tensors(args.out, model.state_dict(), test_accuracy=result)
    record_sha256(Path(args.out).parent)
    print(f"test accuracy {result:.4f}")


if __name__ == "__main__":
    main()
