#!/usr/bin/env bash
# Lints, types and tests of peregrine-finetune, in a virtual environment inside the clone. Where PyTorch cannot be had it
# says so and passes.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
    echo "skipped: peregrine-finetune ($1)"
    exit 0
}

python=""
for candidate in python3.12 python3.11 python3.13 "$HOME"/.pyenv/versions/3.1[123].*/bin/python python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
        python="$candidate"
        break
    fi
done
[ -n "$python" ] || skip "no Python 3.11 to 3.13"

venv=../.venv
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || skip "no virtual environment can be made"
export PATH="$PWD/$venv/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1 OMP_NUM_THREADS=1

stamp="$venv/peregrine-finetune.stamp"
if ! cmp -s ci-requirements.txt "$stamp"; then
    pip install -q 'cuda-toolkit[cublas,cudart,cufft,cufile,cupti,cusolver,cusparse,nvjitlink,nvrtc,nvtx]==13.2.2' \
        || skip "the CUDA libraries that PyTorch is linked against cannot be installed"
    pip install -q --no-deps -r ci-requirements.txt || skip "PyTorch cannot be installed"
    pip install -q filelock 'typing-extensions>=4.13' 'setuptools>=77' 'sympy>=1.13.3' networkx jinja2 fsspec \
        numpy onnx onnxruntime tqdm types-tqdm scikit-learn pytest mypy ruff \
        || skip "the tools of the tests cannot be installed"
    cp ci-requirements.txt "$stamp"
fi
pip install -q --no-deps --no-build-isolation -e .
python -c 'import torch' || skip "PyTorch is installed but cannot be imported"

scripts=../examples/resnet20
ruff format --config pyproject.toml --check . $scripts
ruff check --config pyproject.toml . $scripts
mypy
mypy --strict $scripts/*.py
pytest -q
