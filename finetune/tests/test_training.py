"""Fine-tuning: its pieces, that it learns, that it repeats itself, and that it can be interrupted."""

from __future__ import annotations

import copy
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import DigitNet, accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from peregrine_finetune import (
    CheckpointError,
    DivergedError,
    EpochSummary,
    FinetuneConfig,
    PolynomialActivation,
    RangePenalty,
    Stage,
    convert,
    distillation_loss,
    finetune,
    freeze_batch_norm,
    polynomials,
)
from peregrine_finetune.training import _Worst

CONFIG = FinetuneConfig(epochs=3, warmup_steps=10, seed=5)


def small(digits: TensorDataset, count: int = 320) -> DataLoader[tuple[Tensor, ...]]:
    images, labels = digits.tensors
    return DataLoader(TensorDataset(images[:count], labels[:count]), batch_size=64, shuffle=True)


def start(trained: DigitNet, digits: TensorDataset, degree: int = 2) -> nn.Module:
    return convert(trained, digits.tensors[0][:256], degree=degree).model


@torch.no_grad()
def divergence(model: nn.Module, teacher: nn.Module, digits: TensorDataset) -> float:
    images, _ = digits.tensors
    return float(distillation_loss(model(images), teacher(images), temperature=1.0))


@pytest.mark.parametrize("degree", [2, 4])
def test_finetuning_recovers_the_accuracy(trained: DigitNet, digits: TensorDataset, degree: int) -> None:
    model = start(trained, digits, degree)
    before = divergence(model, trained, digits)
    history = finetune(model, trained, DataLoader(digits, 64, shuffle=True), CONFIG, progress=False)
    assert accuracy(model, digits) > accuracy(trained, digits) - 0.01
    assert divergence(model, trained, digits) < 0.5 * before
    assert not any(summary.skipped for summary in history)
    assert not any(module.training for module in model.modules())
    assert all(module.clamp_width == math.inf for _, module in polynomials(model))


def test_the_same_seed_gives_the_same_weights(trained: DigitNet, digits: TensorDataset) -> None:
    ends = []
    for seed in (1, 1, 2):
        model = start(trained, digits)
        finetune(model, trained, small(digits), replace(CONFIG, epochs=1, seed=seed), progress=False)
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert not torch.equal(ends[0]["conv1.weight"], ends[2]["conv1.weight"])


class PowerCutError(Exception):
    """Stands for a power cut."""


class Fragile(nn.Module):
    """A teacher that fails after some calls."""

    def __init__(self, teacher: nn.Module, calls: int) -> None:
        super().__init__()
        self.teacher = teacher
        self.calls = calls

    def forward(self, x: Tensor) -> Tensor:
        self.calls -= 1
        if self.calls < 0:
            raise PowerCutError
        scores: Tensor = self.teacher(x)
        return scores


@pytest.mark.parametrize("generator", [False, True])
def test_resuming_equals_not_stopping(
    trained: DigitNet, digits: TensorDataset, tmp_path: Path, generator: bool
) -> None:
    def loader() -> DataLoader[tuple[Tensor, ...]]:
        own = torch.Generator() if generator else None
        return DataLoader(small(digits).dataset, 64, shuffle=True, generator=own)

    whole, parts, file = start(trained, digits), start(trained, digits), tmp_path / "run.pt"
    history = finetune(whole, trained, loader(), CONFIG, progress=False)
    seen: list[EpochSummary] = []
    with pytest.raises(PowerCutError):
        finetune(
            parts, Fragile(trained, calls=7), loader(), CONFIG, checkpoint=file, on_epoch=seen.append, progress=False
        )
    assert 0 < len(seen) < len(history)
    assert not any(module.training or module.clamp_width != math.inf for _, module in polynomials(parts))
    fresh = start(trained, digits)
    again = finetune(fresh, trained, loader(), CONFIG, checkpoint=file, on_epoch=seen.append, progress=False)
    assert again == history == seen
    ends = whole.state_dict(), fresh.state_dict()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_lower_precision_learns_as_well(trained: DigitNet, digits: TensorDataset) -> None:
    model = start(trained, digits)
    config = replace(CONFIG, precision="bfloat16")
    finetune(model, trained, DataLoader(digits, 64, shuffle=True), config, progress=False)
    assert accuracy(model, digits) > accuracy(trained, digits) - 0.01
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_training_gives_what_plain_training_gives(trained: DigitNet, digits: TensorDataset) -> None:
    config = replace(CONFIG, epochs=1, stages=(Stage(0.0, 1.1, 1.0), Stage(0.5, 3.0, 2.0)))
    losses = []
    for compiled in (False, True):
        model = start(trained, digits)
        history = finetune(model, trained, small(digits), replace(config, compiled=compiled), progress=False)
        losses.append((history[0].loss, history[0].penalty))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_checkpoint_of_another_run_is_refused(trained: DigitNet, digits: TensorDataset, tmp_path: Path) -> None:
    file, config = tmp_path / "run.pt", replace(CONFIG, epochs=1)
    finetune(start(trained, digits), trained, small(digits), config, checkpoint=file, progress=False)
    for model, other in (
        (start(trained, digits), replace(config, seed=9)),
        (start(trained, digits, degree=4), config),
    ):
        with pytest.raises(CheckpointError, match=r"run\.pt"):
            finetune(model, trained, small(digits), other, checkpoint=file, progress=False)


def test_frozen_batch_norm_keeps_its_statistics(trained: DigitNet, digits: TensorDataset) -> None:
    for frozen in (True, False):
        model = start(trained, digits)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        finetune(model, trained, small(digits), replace(CONFIG, epochs=1, frozen_batch_norm=frozen), progress=False)
        after = model.state_dict()
        assert torch.equal(before["bn2.running_mean"], after["bn2.running_mean"]) == frozen
        assert not torch.equal(before["bn2.weight"], after["bn2.weight"])


def test_training_that_never_has_a_gradient_gives_up(trained: DigitNet, digits: TensorDataset) -> None:
    model = start(trained, digits)
    with torch.no_grad():
        next(polynomials(model))[1].weight.fill_(float("nan"))
    with pytest.raises(DivergedError, match="50 steps"):
        finetune(model, trained, small(digits), replace(CONFIG, epochs=11), progress=False)


def test_fixed_coefficients_stay(trained: DigitNet, digits: TensorDataset) -> None:
    model = convert(trained, digits.tensors[0][:256], learnable=False).model
    before = [module.weight.clone() for _, module in polynomials(model)]
    finetune(model, trained, small(digits), replace(CONFIG, epochs=1), progress=False)
    assert all(torch.equal(a, m.weight) for a, (_, m) in zip(before, polynomials(model), strict=True))


def test_range_penalty_is_what_it_says_and_has_a_gradient() -> None:
    model = nn.Sequential(
        nn.Identity(), PolynomialActivation(torch.ones(3, 2), torch.tensor([1.0, 4.0]), upper_bound=1.0)
    )
    x = torch.tensor([[0.5, 3.0], [3.0, 4.0], [0.0, -16.0]], requires_grad=True)
    with RangePenalty(model) as penalty:
        model(x)
        value = penalty()
        assert float(value.detach()) == pytest.approx((0 + math.log(1 + 2**2) + math.log(1 + 3**2)) / 3)
        torch.autograd.backward(value)
        assert x.grad is not None
        assert x.grad[0].tolist() == [0, 0]
        assert x.grad[1, 0] > 0
        assert x.grad[2, 1] < 0
        assert float(penalty()) == 0
        model.eval()(x)
        assert float(penalty()) == 0
    model.train()(x)
    assert float(penalty()) == 0


def test_the_penalty_of_images_averages_to_the_penalty() -> None:
    model = nn.Sequential(
        PolynomialActivation(torch.ones(3, 2), torch.tensor([1.0, 4.0]), upper_bound=1.0),
        PolynomialActivation(torch.ones(3, 2), torch.tensor([2.0, 2.0]), upper_bound=1.0),
    )
    x = torch.tensor([[0.1, 0.2], [3.0, 4.0], [0.0, -1e6]])
    with RangePenalty(model) as penalty:
        model(x)
        each = penalty.per_image()
        model(x)
        assert float(each.detach().mean()) == pytest.approx(float(penalty().detach()), rel=1e-6)
    assert each.shape == (3,)
    assert each[0] < each[1] < each[2] < 150


def test_range_penalty_looks_before_the_clamp() -> None:
    activation = PolynomialActivation(torch.ones(3, 1), torch.tensor([1.0]), upper_bound=1.0)
    activation.clamp_width.fill_(1.1)
    with RangePenalty(nn.Sequential(activation)) as penalty:
        activation(torch.full((1, 1), 11.0))
        assert float(penalty().detach()) == pytest.approx(math.log(101))


def test_pressing_on_the_range_pulls_inputs_back(trained: DigitNet, digits: TensorDataset) -> None:
    def excess(weight: float) -> float:
        model = start(trained, digits)
        for _, module in polynomials(model):
            module.set_range(module.running_max * 0.5)
        finetune(model, trained, small(digits), replace(CONFIG, range_weight=weight), progress=False)
        with RangePenalty(model) as penalty, torch.no_grad():
            model.train()
            freeze_batch_norm(model)
            model(digits.tensors[0][:320])
            return float(penalty())

    assert excess(1.0) < 0.5 * excess(0.0)


def test_the_images_that_leave_most_are_shown_again() -> None:
    images = torch.arange(1.0, 41.0).reshape(40, 1).clone()
    labels = torch.arange(1, 41)
    worst = _Worst(size=4, share=0.25)
    shown: list[float] = []
    for step in range(5):
        batch = slice(8 * step, 8 * step + 8)
        joined, classes = worst.join(images[batch], labels[batch])
        assert joined.shape == (10, 1)
        assert torch.equal(joined[:, 0].long(), classes)
        shown += joined[8:, 0].tolist()
        worst.note(joined, classes, torch.where(joined[:, 0] == 3, math.inf, 1 / joined[:, 0]))
        assert worst.kept is not None
        assert set(worst.kept[1].tolist()) <= {1, 2, 4, 5}, "of all so far that have a gradient"
    assert set(shown[2:]) <= {1.0, 2.0, 4.0, 5.0}
    worst.drawn = torch.arange(4)
    worst.note(images[10:14], labels[10:14], torch.zeros(4))
    assert worst.kept is not None
    assert set(worst.kept[1].tolist()) == {11, 12, 13, 14}, "what is in range again leaves"
    assert worst.join(torch.ones(8, 2), labels[:8])[0].shape == (10, 2), "another shape of images starts anew"


def test_nothing_is_shown_again_if_nothing_shall() -> None:
    worst = _Worst(size=4, share=0.0)
    images, labels = torch.randn(8, 1), torch.arange(8)
    assert worst.join(images, labels)[0] is images
    worst.note(images, labels, torch.ones(8))
    assert worst.kept is None


def test_distillation_loss_is_the_divergence() -> None:
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    assert float(distillation_loss(a, a)) == pytest.approx(0, abs=1e-6)
    expected = F.kl_div(F.log_softmax(a / 2, 1), F.softmax(b / 2, 1), reduction="batchmean") * 4
    assert float(distillation_loss(a, b, 2.0)) == pytest.approx(float(expected), rel=1e-5)


def test_an_image_without_weight_does_not_count_in_distillation() -> None:
    a, b = torch.randn(3, 5), torch.randn(3, 5)
    weighted = distillation_loss(a, b, weight=torch.tensor([1.0, 0.0, 0.0]))
    assert float(weighted) == pytest.approx(float(distillation_loss(a[:1], b[:1])) / 3, rel=1e-5)


def test_schedule_warms_up_and_falls_to_zero() -> None:
    config = FinetuneConfig(epochs=1, learning_rate=1.0, warmup_steps=10)
    rates = [config.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9]
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[99] < 0.001
    assert [config.stage(p).clamp_width for p in (0.0, 0.34, 0.35, 0.55, 0.95)] == [1.1, 1.1, 1.6, 3.0, 6.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"hard_weight": 1.5},
        {"temperature": 0.0},
        {"replay": -0.1},
        {"replay_memory": 0},
        {"stages": ()},
        {"stages": (Stage(0.5, 1.1, 1.0),)},
        {"stages": (Stage(0.0, 0.0, 1.0),)},
        {"stages": (Stage(0.0, 1.1, -1.0),)},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"positive|stage|replay"):
        replace(CONFIG, **wrong)  # type: ignore[arg-type]


def test_frozen_statistics_are_only_those_of_batch_norms() -> None:
    model = copy.deepcopy(DigitNet()).train()
    freeze_batch_norm(model)
    assert [name for name, module in model.named_modules() if not module.training] == ["bn1", "bn2"]
