"""From a network with activations to the same network with polynomials, by one call."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, fx, nn

from .activation import DEGREES, PolynomialActivation
from .errors import ConversionError, Obstacle
from .fit import BOUNDS, Bound, fitted_activation, hermite_activation
from .operations import Activation, Pool, Refused, classify

Initialisation = Literal["least_squares", "hermite"]
Scope = Literal["channel", "layer"]


@dataclass(frozen=True)
class Replacement:
    """One operation that was replaced: `module` is its new qualified name, `error` the root mean square error of the
    polynomial on the samples, relative to that of zero (0 for pools, which are not fitted).
    """

    module: str
    operation: str
    by: str
    error: float


@dataclass(frozen=True)
class ConversionReport:
    """What `convert` did, and with `strict=False` also what it left as it was."""

    replacements: tuple[Replacement, ...]
    obstacles: tuple[Obstacle, ...]

    def __str__(self) -> str:
        lines = [f"{r.module}: {r.operation} -> {r.by}" + (f", error {r.error:.1%}" if r.error else "")
                 for r in self.replacements]  # fmt: skip
        return "\n".join(lines + [f"left as it was: {obstacle}" for obstacle in self.obstacles])


class Converted(NamedTuple):
    """The network with polynomials, in eval mode, and the report."""

    model: fx.GraphModule
    report: ConversionReport


def convert(
    model: nn.Module,
    samples: Tensor | Sequence[Tensor],
    *,
    degree: int = 2,
    init: Initialisation = "least_squares",
    scope: Scope = "channel",
    learnable: bool = True,
    bound: Bound | None = None,
    strict: bool = True,
) -> Converted:
    """Replaces activations by polynomials of `degree` 2 or 4, and maximum pools by average pools.

    `model` is not changed. It is traced in eval mode through `torch.fx`; every *call* of an activation gets its own
    polynomial, also where one module is called several times. All else keeps its name, so that state dicts still fit.
    `samples` is a batch `[N, ...]` as the model takes it (a sequence, if it takes several inputs); a few hundred images
    suffice. Layer by layer, in one pass, the polynomial is fitted to what the original network's activation gives, from
    the inputs that the *converted* network has there (`least_squares`), or is the Hermite expansion for normal inputs
    of the same range (`hermite`, whose range goes on to follow the inputs during training). `scope` says whether each
    channel has its own polynomial or a layer has one, `learnable` whether training may change coefficients, `bound`
    which range a fitted polynomial is meant for (`BOUNDS[degree]` if it is left out).

    Raises `ConversionError` with every obstacle; with `strict=False` obstacles are left in place and reported instead.
    """
    if degree not in DEGREES:
        raise ValueError(f"the degree is one of {DEGREES}, not {degree}")
    graph = _trace(model)
    modules = dict(graph.named_modules(remove_duplicate=False))
    kinds = {node: classify(node, modules) for node in graph.graph.nodes}
    obstacles = tuple(
        Obstacle(_place(node), kind.name, kind.reason) for node, kind in kinds.items() if isinstance(kind, Refused)
    )
    if obstacles and strict:
        raise ConversionError(obstacles)
    options = _Options(degree, init, scope == "layer", learnable, bound or BOUNDS[degree])
    replaced = {node: kind for node, kind in kinds.items() if isinstance(kind, Activation | Pool)}
    for node, kind in replaced.items():
        if isinstance(kind, Activation) and kind.in_place:
            _read_result(_source(node), node)
    made = _Conversion(graph, replaced, options)
    with torch.no_grad():
        made.run(*((samples,) if isinstance(samples, Tensor) else samples))
    replacements = _replace(graph, replaced, made)
    return Converted(graph, ConversionReport(replacements, obstacles))


@dataclass(frozen=True)
class _Options:
    degree: int
    init: Initialisation
    per_layer: bool
    learnable: bool
    bound: Bound


class _Tracer(fx.Tracer):
    """Traces through everything but PyTorch's own layers and our polynomials."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, PolynomialActivation) or super().is_leaf_module(m, module_qualified_name)


def _trace(model: nn.Module) -> fx.GraphModule:
    original = copy.deepcopy(model).eval()
    try:
        graph = _Tracer().trace(original)
    except Exception as cause:  # whatever the model's own Python does with a symbolic tensor
        reason = f"torch.fx cannot trace it: {cause}"
        raise ConversionError([Obstacle("", type(model).__name__, reason)]) from cause
    return fx.GraphModule(original, graph).eval()


class _Pair(NamedTuple):
    """A value in the original network and in the converted one."""

    original: Any
    converted: Any


class _Conversion(fx.Interpreter):
    """Runs both networks side by side, and makes each replacement when its inputs are known."""

    def __init__(self, graph: fx.GraphModule, replaced: dict[fx.Node, Activation | Pool], options: _Options) -> None:
        super().__init__(graph)
        self.replaced = replaced
        self.options = options
        self.made: dict[fx.Node, nn.Module] = {}
        self.errors: dict[fx.Node, float] = {}

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "placeholder":
            value = super().run_node(n)
            return _Pair(*(value.clone() if isinstance(value, Tensor) else value for _ in range(2)))
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        kind = self.replaced.get(n)
        if kind is None:
            return _Pair(self._call(n, args, kwargs, 0), self._call(n, args, kwargs, 1))
        x: Tensor = (args[0] if args else kwargs["input"]).converted
        original = self._call(n, args, kwargs, 0)
        self.made[n] = self._make(n, kind, x, original)
        return _Pair(original, self.made[n](x))

    def _call(self, n: fx.Node, args: Any, kwargs: Any, side: Literal[0, 1]) -> Any:
        def picked(value: Any) -> Any:
            if isinstance(value, _Pair):
                return value[side]
            if isinstance(value, tuple | list):
                return type(value)(picked(item) for item in value)
            if isinstance(value, dict):
                return {key: picked(item) for key, item in value.items()}
            return value

        return getattr(self, n.op)(n.target, picked(args), picked(kwargs))

    def _make(self, n: fx.Node, kind: Activation | Pool, x: Tensor, original: Tensor) -> nn.Module:
        if isinstance(kind, Pool):
            self.errors[n] = 0.0
            return kind.average
        o = self.options
        if o.init == "hermite":
            made = hermite_activation(kind.curve, x, o.degree, per_layer=o.per_layer, learnable=o.learnable)
        else:
            made = fitted_activation(
                kind.curve, x, original, o.degree, per_layer=o.per_layer, learnable=o.learnable, bound=o.bound
            )
        made.eval()
        missed = (made(x) - original).square().mean().sqrt()
        self.errors[n] = float(missed / original.square().mean().sqrt().clamp_min(1e-12))
        return made


def _replace(
    graph: fx.GraphModule, replaced: dict[fx.Node, Activation | Pool], made: _Conversion
) -> tuple[Replacement, ...]:
    taken: set[str] = set()
    replacements = []
    for node, kind in replaced.items():
        name = _free_name(node, graph, taken)
        taken.add(name)
        module = made.made[node]
        graph.add_submodule(name, module)
        with graph.graph.inserting_before(node):
            new = graph.graph.call_module(name, (_source(node),))
        new.meta = node.meta
        node.replace_all_uses_with(new)
        graph.graph.erase_node(node)
        by = f"degree {module.degree}" if isinstance(module, PolynomialActivation) else type(module).__name__
        replacements.append(Replacement(name, kind.name, by, made.errors[node]))
    graph.graph.lint()
    graph.delete_all_unused_submodules()
    graph.recompile()
    return tuple(replacements)


def _source(node: fx.Node) -> fx.Node:
    (source,) = node.all_input_nodes
    return source


def _read_result(source: fx.Node, node: fx.Node) -> None:
    """An operation in place changes what later readers of its input see: let them read its result."""
    later = False
    for other in node.graph.nodes:
        if later and source in other.all_input_nodes:
            other.replace_input_with(source, node)
        later = later or other is node


def _place(node: fx.Node) -> str:
    """The qualified name of the module that is, or calls, the operation."""
    if node.op == "call_module":
        return str(node.target)
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


def _free_name(node: fx.Node, graph: fx.GraphModule, taken: set[str]) -> str:
    if node.op == "call_module":
        base = str(node.target)
        if base not in taken:
            return base
    else:
        function = re.sub(r"_\d+$", "", node.name)
        base = f"{_place(node)}.{function}".lstrip(".")
    existing = {name for name, _ in graph.named_modules()} | taken
    if base not in existing:
        return base
    return next(name for i in range(2, 10**6) if (name := f"{base}_{i}") not in existing)
