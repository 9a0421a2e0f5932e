"""A folder that nobody can make, root neither: the kernel's own."""

from pathlib import Path

CLOSED = Path("/sys/fedspoke")
