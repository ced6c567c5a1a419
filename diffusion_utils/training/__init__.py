"""One training loop for the networks that draw, one for the judges, runs on disk, and the machine."""
