"""One-stage fine-tuning of a converted network, and its pieces for use in a loop of one's own."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.hooks import RemovableHandle
from tqdm import tqdm

from .activation import PolynomialActivation, polynomials
from .errors import CheckpointError, DivergedError

Batch = Sequence[Tensor]
Precision = Literal["float32", "bfloat16"]
#: Steps in a row without a finite gradient after which training gives up.
PATIENCE = 50
#: Scores are clamped to this in the loss: beyond it is an image that ran off.
LARGEST_SCORE = 200.0
#: Of AdamW. Ranges change from step to step, so the memory of squares is short.
BETAS = (0.9, 0.99)


class RangePenalty:
    """A loss term on inputs of polynomial activations outside their bound.

    For each image and activation, `e` is how far the largest `|x| / running_max` exceeds 1, and the penalty is
    `log(1 + e^2)`: quadratic near the bound and logarithmic far outside. A value that diverges is a product of many
    layers, and only the gradient of its logarithm has the size of others. The penalty is averaged over images and
    summed over activations. It looks at inputs before any clamp, in training mode only.

        with RangePenalty(model) as penalty:
            loss = criterion(model(x), y) + weight * penalty()

    After PAPER (arXiv 2509.22857), which penalises ranges in a quadratic network.
    """

    def __init__(self, model: nn.Module) -> None:
        self._terms: list[Tensor] = []
        self._device = next(model.parameters()).device
        self._hooks: list[RemovableHandle] = [
            module.register_forward_pre_hook(self._observe) for _, module in polynomials(model)
        ]

    def _observe(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if module.training and isinstance(module, PolynomialActivation):
            excess = F.relu(module.relative(inputs[0]).flatten(1).amax(dim=1) - 1)
            self._terms.append(torch.log1p(excess * excess))

    def __call__(self) -> Tensor:
        """The penalty of all forward passes since the last call, a scalar."""
        terms, self._terms = self._terms, []
        means = [term.mean() for term in terms]
        return torch.stack(means).sum() if means else torch.zeros((), device=self._device)

    def per_image(self) -> Tensor:
        """The penalty of each image of the last forward pass, the only one since the last call, `[N]`."""
        terms, self._terms = self._terms, []
        return torch.stack(terms).sum(dim=0) if terms else torch.zeros((), device=self._device)

    def close(self) -> None:
        """Stops observing the model."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._terms = [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def distillation_loss(
    student: Tensor, teacher: Tensor, temperature: float = 3.0, weight: Tensor | None = None
) -> Tensor:
    """Kullback-Leibler divergence of softened scores, both `[N, classes]`, times `temperature` squared.

    It is averaged over images; with `weight`, `[N]`, each counts as much as that says.

    After Hinton, Vinyals and Dean (Distilling the Knowledge in a Neural Network, 2015).
    """
    student, teacher = F.log_softmax(student / temperature, 1), F.log_softmax(teacher / temperature, 1)
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1)
    return (divergence if weight is None else divergence * weight).mean() * temperature**2


def freeze_batch_norm(model: nn.Module) -> None:
    """Puts batch normalisations in eval mode; their weights still train. To be called after each `model.train()`.

    Behind a polynomial, statistics of one batch can be anything: with them training diverges.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


@dataclass(frozen=True)
class Stage:
    """A part of training, from the fraction `start` of all steps: width of the clamp (`math.inf` is none) and weight of
    the penalty.
    """

    start: float
    clamp_width: float
    range_factor: float


#: The clamp widens until nothing relies on it; the last stage presses the rarest images into the range, while the
#: learning rate is still large enough for it.
STAGES = (Stage(0.0, 1.1, 1.0), Stage(0.35, 1.6, 2.0), Stage(0.55, 3.0, 5.0), Stage(0.75, 6.0, 25.0))


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of `finetune`.

    The optimizer is AdamW: gradients of coefficients, normalisations and weights differ in size by orders. The learning
    rate warms up for `warmup_steps` and falls to 0 along a cosine; coefficients learn with `coefficient_factor` times
    it and without weight decay. `clip_norm` bounds the gradient of the rare batch with an image that diverges.

    The loss is `hard_weight` times cross entropy, the rest distillation at `temperature`, and `range_weight` times the
    stage's factor times `RangePenalty`. An image whose penalty is `p` counts `1 / (1 + p)^2` in the first two: one that
    diverges is pulled back and teaches nothing else, as its gradient would drown that of all others.

    One image in thousands decides whether ranges hold, and an epoch would show it once. So the `replay_memory` images
    with the largest penalties are kept (in the checkpoint, too), and to each batch as many of them are added as
    `replay` says, relative to the batch; 0 adds none.

    `precision="bfloat16"` computes convolutions in it, weights and polynomials stay in float32; `compiled` runs both
    networks through `torch.compile`, which needs a C++ compiler. On a CPU with bfloat16 both together are two to three
    times as fast.
    """

    epochs: int
    learning_rate: float = 2e-3
    coefficient_factor: float = 0.5
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    clip_norm: float = 50.0
    hard_weight: float = 0.3
    temperature: float = 3.0
    range_weight: float = 1.0
    stages: tuple[Stage, ...] = field(default=STAGES)
    replay: float = 0.125
    replay_memory: int = 256
    frozen_batch_norm: bool = True
    precision: Precision = "float32"
    compiled: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 <= self.hard_weight <= 1 or self.temperature <= 0 or self.clip_norm <= 0:
            raise ValueError("epochs, temperature and clip_norm are positive and hard_weight is in [0, 1]")
        if not 0 <= self.replay <= 1 or self.replay_memory < 1:
            raise ValueError("replay is in [0, 1] and replay_memory is positive")
        starts = [stage.start for stage in self.stages]
        if any(not stage.clamp_width > 0 or stage.range_factor < 0 for stage in self.stages):
            raise ValueError("the clamp_width of a stage is positive and its range_factor is not negative")
        if not starts or starts[0] != 0 or starts != sorted(starts):
            raise ValueError("the first stage starts at 0 and the others follow in order")

    def stage(self, progress: float) -> Stage:
        """The stage at a fraction of all steps."""
        return [stage for stage in self.stages if stage.start <= progress][-1]

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step `step` of `steps`."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))


@dataclass(frozen=True)
class EpochSummary:
    """Means over the steps of an epoch; `skipped` steps had no finite gradient and changed nothing."""

    epoch: int
    loss: float
    penalty: float
    skipped: int


def finetune(
    model: nn.Module,
    teacher: nn.Module,
    loader: DataLoader[Any],
    config: FinetuneConfig,
    *,
    checkpoint: Path | str | None = None,
    on_epoch: Callable[[EpochSummary], None] | None = None,
    progress: bool = True,
) -> list[EpochSummary]:
    """Trains a converted `model` in place on batches `(images, labels)` to give what `teacher` gives.

    The model ends in eval mode, without a clamp, also when training raises.

    With `checkpoint`, the state is written there after each epoch, and training goes on from it if the file exists: the
    end is the same as without interruption. The same seed gives the same weights on the same machine and PyTorch; each
    epoch seeds PyTorch's generator anew, so a loader that shuffles or augments with it is covered.

    `on_epoch` is called after each epoch, once its state is in the checkpoint.

    Raises `DivergedError` after `PATIENCE` steps in a row without a finite gradient, and `CheckpointError` if the
    checkpoint is another run's.
    """
    run = _Run(model, teacher, config, len(loader))
    file = Path(checkpoint) if checkpoint is not None else None
    if file is not None and file.exists():
        run.load(file)
    try:
        for epoch in range(len(run.history), config.epochs):
            _seed(config.seed, epoch, loader)
            bar = tqdm(loader, desc=f"epoch {epoch + 1}/{config.epochs}", disable=not progress)
            run.epoch(epoch, bar)
            if file is not None:
                run.save(file)
            if on_epoch is not None:
                on_epoch(run.history[-1])
    finally:
        run.close()
    return run.history


class _Observed(nn.Module):
    """A network and its penalty in one call, so that they are compiled together."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.penalty = RangePenalty(model)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model(images)
        return scores, self.penalty.per_image()


class _Worst:
    """The images with the largest penalties so far, which are shown again."""

    def __init__(self, size: int, share: float) -> None:
        self.size = size
        self.share = share
        self.kept: tuple[Tensor, Tensor, Tensor] | None = None
        self.drawn = torch.empty(0, dtype=torch.long)

    def join(self, images: Tensor, labels: Tensor) -> Batch:
        """The batch and, after it, images drawn from those that are kept; at first, from the batch itself."""
        if not self.share:
            return images, labels
        if self.kept is None or self.kept[0].shape[1:] != images.shape[1:]:
            self.kept = images[: self.size], labels[: self.size], images.new_zeros(len(images[: self.size]))
        kept = self.kept
        self.drawn = torch.randperm(len(kept[0]))[: round(self.share * len(images))].to(images.device)
        return torch.cat([images, kept[0][self.drawn]]), torch.cat([labels, kept[1][self.drawn]])

    def note(self, images: Tensor, labels: Tensor, excesses: Tensor) -> None:
        """Keeps the worst of those and of a batch that `join` made; without a finite penalty there is no gradient."""
        if self.kept is None:
            return
        rest = torch.ones(len(self.kept[0]), dtype=torch.bool, device=images.device)
        rest[self.drawn] = False
        together = [torch.cat([old[rest], new]) for old, new in zip(self.kept, (images, labels, excesses), strict=True)]
        penalties = together[2].nan_to_num(-1, -1, -1)
        worst = penalties.topk(min(self.size, len(penalties))).indices
        self.kept = together[0][worst], together[1][worst], together[2][worst]


def _seed(seed: int, epoch: int, loader: DataLoader[Any]) -> None:
    torch.manual_seed(seed * 1_000_003 + epoch)
    if loader.generator is not None:
        loader.generator.manual_seed(seed * 1_000_003 + epoch)


class _Run:
    """The state that a checkpoint holds."""

    def __init__(self, model: nn.Module, teacher: nn.Module, config: FinetuneConfig, steps_per_epoch: int) -> None:
        self.model = model
        self.teacher = teacher.eval()
        self.config = config
        self.steps = config.epochs * steps_per_epoch
        self.step = 0
        self.failures = 0
        self.history: list[EpochSummary] = []
        self.optimizer = _optimizer(model, config)
        self.device = next(model.parameters()).device
        self.observed = _Observed(model)
        self.worst = _Worst(config.replay_memory, config.replay)
        compiled = torch.compile if config.compiled else lambda network: network
        self.forward = compiled(self.observed)
        self.wanted = compiled(self.teacher)

    def close(self) -> None:
        self.observed.penalty.close()
        for _, module in polynomials(self.model):
            module.clamp_width.fill_(math.inf)
        self.model.eval()

    def epoch(self, epoch: int, batches: Iterable[Batch]) -> None:
        self.model.train()
        if self.config.frozen_batch_norm:
            freeze_batch_norm(self.model)
        losses: list[tuple[float, float]] = []
        skipped = 0
        for images, labels in batches:
            taken = self._step(images.to(self.device), labels.to(self.device))
            if taken is None:
                skipped += 1
            else:
                losses.append(taken)
            self.step += 1
        loss, excess = (sum(column) / max(1, len(losses)) for column in zip(*losses, strict=True)) if losses else (
            math.nan, math.nan)  # fmt: skip
        self.history.append(EpochSummary(epoch, loss, excess, skipped))

    def _step(self, images: Tensor, labels: Tensor) -> tuple[float, float] | None:
        config = self.config
        stage = config.stage(self.step / self.steps)
        for _, module in polynomials(self.model):
            module.clamp_width.fill_(stage.clamp_width)
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate(self.step, self.steps) * group["factor"]
        new = len(images)
        images, labels = self.worst.join(images, labels)
        lower = config.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=lower):
            with torch.no_grad():
                wanted = self.wanted(images).float()
            scores, excesses = self.forward(images)
        self.worst.note(images, labels, excesses.detach())
        scores = scores.float().clamp(-LARGEST_SCORE, LARGEST_SCORE)
        trust = (1 + excesses.detach()) ** -2
        soft = distillation_loss(scores, wanted, config.temperature, trust)
        hard = (F.cross_entropy(scores, labels, reduction="none") * trust).mean()
        excess = excesses.mean()
        loss = (1 - config.hard_weight) * soft + config.hard_weight * hard
        loss = loss + config.range_weight * stage.range_factor * excess
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        if not bool(torch.isfinite(norm)):
            self.failures += 1
            if self.failures >= PATIENCE:
                raise DivergedError(f"{self.failures} steps in a row had no finite gradient: lower the learning rate")
            return None
        self.failures = 0
        self.optimizer.step()
        return float(loss.detach()), float(excesses.detach()[:new].mean())

    def save(self, file: Path) -> None:
        state = {
            "config": asdict(self.config),
            "steps": self.steps,
            "step": self.step,
            "failures": self.failures,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "worst": self.worst.kept,
            "history": [asdict(summary) for summary in self.history],
        }
        part = file.with_name(file.name + ".part")
        torch.save(state, part)
        os.replace(part, file)

    def load(self, file: Path) -> None:
        state = torch.load(file, map_location=self.device, weights_only=True)
        if state["config"] != asdict(self.config) or state["steps"] != self.steps:
            raise CheckpointError(f"{file} was written with other settings or another number of batches")
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as cause:
            raise CheckpointError(f"{file} holds another network: {cause}") from cause
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.failures = state["step"], state["failures"]
        self.worst.kept = state["worst"]
        self.history = [EpochSummary(**summary) for summary in state["history"]]


def _optimizer(model: nn.Module, config: FinetuneConfig) -> torch.optim.AdamW:
    own = {id(module.weight) for _, module in polynomials(model)}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    weights = [parameter for parameter in trained if id(parameter) not in own]
    coefficients = [parameter for parameter in trained if id(parameter) in own]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": config.weight_decay, "factor": 1.0},
        {"params": coefficients, "weight_decay": 0.0, "factor": config.coefficient_factor},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=BETAS)
