"""What can go wrong, as types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class FinetuneError(Exception):
    """Anything that this package refuses or gives up on."""


@dataclass(frozen=True)
class Obstacle:
    """One operation that has no polynomial form here.

    `module` is the qualified name of the module that is or calls the operation ("" is the model itself).
    """

    module: str
    operation: str
    reason: str

    def __str__(self) -> str:
        return f"{self.module or '(the model itself)'}: {self.operation}: {self.reason}"


class ConversionError(FinetuneError):
    """The model cannot be converted; `obstacles` lists every reason at once."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        self.obstacles = tuple(obstacles)
        listed = "\n".join(f"  {obstacle}" for obstacle in self.obstacles)
        super().__init__(f"{len(self.obstacles)} operation(s) cannot be converted:\n{listed}")


class DivergedError(FinetuneError):
    """Training produced no finite gradient for many steps in a row."""


class CheckpointError(FinetuneError):
    """A checkpoint belongs to another run: other settings or another network."""


class ExportError(FinetuneError):
    """A network cannot be written in the form that was asked for."""
