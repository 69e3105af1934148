"""Writes `table.rs`, the operators of the default ONNX domain, from the schemas of the `onnx` package.

Run: python generate.py > table.rs

One row per operator and version at which its operands, results or attributes changed; versions before the first supported
opset are left out, but for the last of them. Operators on sequences, optionals and strings, control flow, recurrences, random
numbers and losses have no row: the front end refuses them for what they are.
"""

import onnx
import onnx.defs

FIRST_OPSET = 6
WITHOUT_ROW = (
    "Attention Bernoulli BlackmanWindow CausalConvWithState ConcatFromSequence GRU HammingWindow HannWindow If ImageDecoder LSTM LinearAttention Loop MelWeightMatrix"
    " Multinomial NegativeLogLikelihoodLoss Optional OptionalGetElement OptionalHasElement RNN RandomNormal RandomNormalLike"
    " RandomUniform RandomUniformLike RegexFullMatch Scan SequenceAt SequenceConstruct SequenceEmpty SequenceErase"
    " SequenceInsert SequenceLength SequenceMap SoftmaxCrossEntropyLoss SplitToSequence StringConcat StringNormalizer"
    " StringSplit TfIdfVectorizer"
).split()

HEAD = """\
//! The operators of the default ONNX domain, written by `generate.py` from the schemas of onnx {version}.
//!
//! A row holds from its opset on until the next row of the same operator. Operands and results are type variables or fixed
//! element types, `?` may be left out, `*` may be repeated; attributes are `name:type`, `!` must be given.

use super::row::{{Row, op, removed}};

/// All rows, by name and opset.
#[rustfmt::skip]
pub(super) const OPERATORS: &[Row] = &["""


def ports(formals):
    mark = {"Single": "", "Optional": "?", "Variadic": "*"}
    kind = lambda t: t.removeprefix("tensor(").removesuffix(")")
    return " ".join(kind(f.type_str) + mark[f.option.name] for f in formals)


def row(schema):
    if schema.deprecated:
        return None
    attributes = sorted(schema.attributes.values(), key=lambda a: a.name)
    words = [f"{a.name}:{a.type.name.lower()}{'!' if a.required else ''}" for a in attributes]
    return ports(schema.inputs), ports(schema.outputs), " ".join(words)


def main():
    histories = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name not in WITHOUT_ROW:
            histories.setdefault(schema.name, []).append(schema)
    print(HEAD.format(version=onnx.__version__))
    for name, schemas in sorted(histories.items()):
        schemas.sort(key=lambda s: s.since_version)
        old = [s for s in schemas if s.since_version <= FIRST_OPSET]
        last = object()
        for schema in old[-1:] + [s for s in schemas if s.since_version > FIRST_OPSET]:
            words = row(schema)
            if words == last:
                continue
            last = words
            since = schema.since_version
            if words is None:
                print(f'    removed("{name}", {since}),')
            else:
                print(f'    op("{name}", {since}, "{words[0]}", "{words[1]}", "{words[2]}"),')
    print("];")


main()
