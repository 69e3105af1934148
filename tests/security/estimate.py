#!/usr/bin/env python3
"""Bits of security of peregrine's largest parameters, by the lattice estimator.

Fills the table of SECURITY.md; `cargo test` does not run it. It needs the estimator and Sage, here as Python packages:

    python3 -m venv venv && venv/bin/pip install passagemath-standard==10.8.13
    git clone https://github.com/malb/lattice-estimator
    git -C lattice-estimator checkout 27a581bb8e9d49f5e9e2db315bd48ac769d5f5f5
    PYTHONPATH=lattice-estimator venv/bin/python tests/security/estimate.py

Without arguments it estimates both limits of each row of that table: the gate's, and that of the guidelines. With arguments
like `13:218` it estimates ring degree 2^13 with log2(QP) = 218. About three minutes on one core.

The instance is ring-LWE as plain LWE: dimension N, modulus 2^log2(QP), secret uniform in {-1, 0, 1}, error a discrete Gaussian,
any number of samples. With `--sparse 32` the secret has so many
coefficients that are not 0, and the primal hybrid attack counts. Lattice reduction costs what MATZOV says, in classical operations: the model of the guidelines, whose
attacks these are too (less their primal hybrid attack, which they run up to 2^14: `--hybrid` adds it).
"""

import argparse
import pathlib
import re
from functools import partial

from estimator import LWE, ND, RC
from sage.all import log, oo

DEVIATION = 3.2
PAGE = pathlib.Path(__file__).resolve().parents[2] / "SECURITY.md"
ATTACKS = {
    "uSVP": LWE.primal_usvp,
    "BDD": LWE.primal_bdd,
    "dual": LWE.dual_hybrid,
}
HYBRID = partial(LWE.primal_hybrid, mitm=False, babai=False)


def limits():
    """Degrees and moduli in the table of SECURITY.md, as logarithms: those of the gate and of the guidelines."""
    rows = re.findall(r"^\| 2\^(\d+) \| (\d+) \|.*?\| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    return [(int(log_n), int(bits)) for log_n, *both in rows for bits in sorted(set(both), key=int)]


def secret(degree, weight):
    """The distribution of secrets of a weight, or of ternary ones."""
    if weight is None:
        return ND.Uniform(-1, 1)
    return ND.SparseTernary(weight // 2, weight - weight // 2, degree)


def pair(text):
    log_n, bits = text.split(":")
    return int(log_n), int(bits)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="*", type=pair, metavar="LOG_N:BITS")
    parser.add_argument("--deviation", type=float, default=DEVIATION, help="of the error [default: %(default)s]")
    parser.add_argument("--sparse", type=int, metavar="WEIGHT", help="a sparse secret; implies --hybrid")
    parser.add_argument("--hybrid", action="store_true", help="the primal hybrid attack too; slow at large degrees")
    args = parser.parse_args()
    attacks = ATTACKS | ({"hybrid": HYBRID} if args.hybrid or args.sparse else {})
    print("log_n", "bits", *attacks, "least", sep="\t")
    for log_n, bits in args.pairs or limits():
        instance = LWE.Parameters(
            n=2**log_n, q=2**bits, Xs=secret(2**log_n, args.sparse), Xe=ND.DiscreteGaussian(args.deviation), m=oo
        )
        costs = [float(log(run(instance, red_cost_model=RC.MATZOV)["rop"], 2)) for run in attacks.values()]
        print(log_n, bits, *(f"{cost:.1f}" for cost in [*costs, min(costs)]), sep="\t", flush=True)


if __name__ == "__main__":
    main()
