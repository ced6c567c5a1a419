"""DeepFloyd IF, the coursework's own model, behind the same interface as Emoji-64.

Which model, and where prompts come from, is said by environment variables:
DEEPFLOYD_MODEL: a name on the Hugging Face hub, maybe with a revision, NAME@COMMIT; or a folder. The
    default is `weights.STAGE_1`.
DEEPFLOYD_STAGE_2: the same of the second stage; the default is `weights.STAGE_2`.
DEEPFLOYD_EMBEDDINGS: a file that `embed` wrote; with it the text encoder is never loaded.
"""
