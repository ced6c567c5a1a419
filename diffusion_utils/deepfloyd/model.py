"""Stage I of DeepFloyd IF as a `TextToImage`."""

import os

from diffusion_utils.deepfloyd import stage_2, weights
from diffusion_utils.deepfloyd.text import PromptEncoder, stored
from diffusion_utils.text_to_image import TextToImage


class DeepFloyd(TextToImage):
    """Stage I as a `TextToImage`; stage_2: name or folder of the model that `upsample` loads."""

    upsample = stage_2.upsample

    def __init__(self, unet, encode, schedule, device, stage_2):
        self.free = getattr(encode, "free", lambda: None)

        def network(x_t, t, embedding):
            self.free()  # the prompts are encoded by now; the encoder needs the memory no longer
            return weights.estimate(unet, x_t, t, embedding)

        super().__init__(network, encode, schedule, device)
        self.shape = (3, unet.config.sample_size, unet.config.sample_size)
        self.stage_2 = stage_2

    def condition(self, prompt):
        """As of `TextToImage`; "" is encoded along, so that the encoder is not loaded for it alone."""
        condition = super().condition(prompt)
        super().condition("")
        return condition


def load(device):
    """Load DeepFloyd IF -> `DeepFloyd`; the variables that the package names say which.

    Raises:
        RuntimeError: no GPU for a model from the hub, or too little memory.
        OSError: the model cannot be fetched; the message says what to do.
    """
    file = os.environ.get("DEEPFLOYD_EMBEDDINGS")
    name = os.environ.get("DEEPFLOYD_MODEL", weights.STAGE_1)
    files = weights.UNET if file else weights.UNET + weights.ENCODER
    folder = weights.fetched(name, files, device)
    unet, schedule = weights.load_unet(folder, device)
    encode = stored(file, device) if file else PromptEncoder(folder, device)
    second = os.environ.get("DEEPFLOYD_STAGE_2", weights.STAGE_2)
    return DeepFloyd(unet, encode, schedule, device, second)
