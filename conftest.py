"""Kernels of notebooks tested side by side race for TCP ports: here they are reached through files."""

import os
import tempfile

from nbval import kernel


class Manager(kernel.KernelManager):
    def __init__(self, **options):
        self.folder = tempfile.TemporaryDirectory(prefix="kernel-")
        file = f"{self.folder.name}/kernel.json"
        super().__init__(transport="ipc", connection_file=file, **options)


if os.name != "nt":  # which has ports alone
    kernel.KernelManager = Manager
