"""Turns a pretrained CNN into one whose activations are low-degree polynomials, so that peregrine can run it encrypted.

`convert` replaces activations and pools, `finetune` trains the result to give what the original gives, `certify`
measures whether images stay where the polynomials are meant, `export` writes ONNX.
"""

from .activation import PolynomialActivation, polynomials
from .certify import ActivationRange, Certificate, ValueRange, calibrate, certify
from .convert import ConversionReport, Converted, Replacement, convert
from .errors import CheckpointError, ConversionError, DivergedError, ExportError, FinetuneError, Obstacle
from .export import RANGES_KEY, RANGES_VERSION, export
from .fit import BOUNDS, Bound
from .training import (
    EpochSummary,
    FinetuneConfig,
    RangePenalty,
    Stage,
    distillation_loss,
    finetune,
    freeze_batch_norm,
)

__all__ = [
    "BOUNDS",
    "RANGES_KEY",
    "RANGES_VERSION",
    "ActivationRange",
    "Bound",
    "Certificate",
    "CheckpointError",
    "ConversionError",
    "ConversionReport",
    "Converted",
    "DivergedError",
    "EpochSummary",
    "ExportError",
    "FinetuneConfig",
    "FinetuneError",
    "Obstacle",
    "PolynomialActivation",
    "RangePenalty",
    "Replacement",
    "Stage",
    "ValueRange",
    "calibrate",
    "certify",
    "convert",
    "distillation_loss",
    "export",
    "finetune",
    "freeze_batch_norm",
    "polynomials",
]
