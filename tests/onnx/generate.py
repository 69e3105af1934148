"""Writes `cases.jsonl`: small models with odd attributes, and what ONNX Runtime computes for them.

Run: python generate.py > cases.jsonl        (needs numpy, onnx and onnxruntime)

One model per line: `opset`, `dims` of the input `x`, `nodes` (operator, operands, results, attributes), `constants`, and `y`,
the output `y` of the model, or null where ONNX Runtime refuses the model. Element `i` of the input is
`((37 i) mod 101 - 50) / 16`. The settings are drawn from a fixed seed. Left out are those on which implementations do not
agree, see `disputed`.
"""

import json
import os
import pickle
import random

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

R = random.Random(7)
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.log_severity_level = 4
OPTIONS.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def node(op, operands, result="y", **attributes):
    return {"op": op, "in": operands, "out": [result] if isinstance(result, str) else result, "attributes": attributes}


def numbers(*dims):
    count = int(np.prod(dims))
    data = [R.randrange(-24, 25) / 16 for _ in range(count)]
    return np.array(data, np.float32).reshape(dims)


def proto(opset, dims, nodes, constants):
    protos = []
    for n in nodes:
        made = helper.make_node(n["op"], n["in"], n["out"])
        for name, value in n["attributes"].items():
            empty = onnx.AttributeProto.INTS if value == [] else None
            made.attribute.append(helper.make_attribute(name, value, attr_type=empty))
        protos.append(made)
    graph = helper.make_graph(
        protos,
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def image(dims):
    count = int(np.prod(dims))
    return ((np.arange(count) * 37 % 101 - 50) / 16).astype(np.float32).reshape(dims)


def run(model, dims):
    """The output, or None when ONNX Runtime refuses; in a process of its own, since some models make it crash."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        result = None
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), OPTIONS, providers=["CPUExecutionProvider"])
            result = session.run(None, {"x": image(dims)})[0]
        except Exception:
            pass
        with os.fdopen(writer, "wb") as file:
            pickle.dump(result, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    return pickle.loads(data) if data else None


def reach(kernel, dilation):
    return (kernel - 1) * dilation + 1


def disputed(op, extent, kernel, a, computed):
    """Whether implementations of ONNX do not agree on a window."""
    stride, dilation = a.get("strides", [1])[0], a.get("dilations", [1])[0]
    mode, pads = a.get("auto_pad", "NOTSET"), a.get("pads", [0, 0])
    if mode.startswith("SAME"):
        span = kernel if op == "AveragePool" else reach(kernel, dilation)
        left_out = (-(-extent // stride) - 1) * stride + span - extent < 0
        return left_out or (op == "Conv" and dilation > 1)
    if op == "AveragePool":
        too_large = reach(kernel, dilation) > extent + sum(pads)
        return too_large or (mode == "VALID" and a.get("ceil_mode", 0) == 1)
    return False


class Cases:
    def __init__(self):
        self.count = 0

    def add(self, opset, dims, nodes, constants=None, skip_refused=False):
        constants = constants or {}
        model = proto(opset, dims, nodes, constants)
        y = run(model, dims)
        if y is not None and (y.size == 0 or y.size > 400 or not np.isfinite(y).all()):
            return
        if y is None and skip_refused:
            return
        stored = {
            name: {"type": str(np.asarray(v).dtype), "dims": list(np.asarray(v).shape), "data": np.asarray(v).ravel().tolist()}
            for name, v in constants.items()
        }
        result = y if y is None else {"dims": list(y.shape), "data": [float(f"{v:.7g}") for v in y.ravel()]}
        case = {"opset": opset, "dims": dims, "nodes": nodes, "constants": stored, "y": result}
        print(json.dumps(case, separators=(",", ":")))
        self.count += 1

    def resizes(self):
        modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"]
        nearest = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
        for mode in modes:
            for rounding in nearest:
                attributes = dict(coordinate_transformation_mode=mode, nearest_mode=rounding)
                for scale in [0.3, 1 / 3, 0.6, 0.7, 1.3, 1.5, 5 / 3, 2.3, 3.0]:
                    extent, opset = R.choice([5, 8, 10]), R.choice([13, 18, 19])
                    region = np.array([0, 0, R.choice([0, 0.1]), 1, 1, R.choice([0.7, 1])], np.float32)
                    constants = {"s": np.array([1, 1, scale], np.float32)}
                    if mode == "tf_crop_and_resize":
                        constants["r"] = region
                    operands = ["x", "r" if "r" in constants else "", "s"]
                    self.add(opset, [1, 1, extent], [node("Resize", operands, **attributes)], constants)
                if mode == "tf_half_pixel_for_nn" or mode == "tf_crop_and_resize":
                    continue
                for size in [1, 3, 7]:
                    constants = {"z": np.array([1, 1, size], np.int64)}
                    self.add(19, [1, 1, 5], [node("Resize", ["x", "", "", "z"], **attributes)], constants)
        for policy in ["not_larger", "not_smaller", "stretch"]:
            for sizes in [[3, 7], [9, 5], [5, 21]]:
                constants = {"z": np.array(sizes, np.int64)}
                resize = node("Resize", ["x", "", "", "z"], keep_aspect_ratio_policy=policy, axes=R.choice([[2, 3], [3, 2]]))
                self.add(18, [1, 1, 4, 5], [resize], constants)
        for scale in [0.6, 1.0, 1.7, 2.0]:
            constants = {"s": np.array([1, 1, scale], np.float32)}
            self.add(10, [1, 1, 8], [node("Resize", ["x", "s"])], constants)
            self.add(9, [1, 1, 8], [node("Upsample", ["x", "s"])], constants)
            self.add(7, [1, 1, 8], [node("Upsample", ["x"], scales=[1.0, 1.0, scale])])

    def windows(self):
        for _ in range(80):
            self.pool()
            self.convolution("Conv")
            self.convolution("ConvTranspose")

    def attributes(self, opset):
        a = dict(strides=[R.randrange(1, 5)])
        if R.random() < 0.4:
            a["auto_pad"] = R.choice(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
        if a.get("auto_pad", "NOTSET") == "NOTSET" and R.random() < 0.7:
            a["pads"] = [R.randrange(4), R.randrange(4)]
        return a

    def pool(self):
        opset, kernel, extent = R.choice([7, 10, 11, 19, 22]), R.randrange(1, 5), R.randrange(1, 12)
        a = dict(kernel_shape=[kernel], **self.attributes(opset))
        a["count_include_pad"] = R.randrange(2)
        if opset >= 10:
            a["ceil_mode"] = R.randrange(2)
        if opset >= 19:
            a["dilations"] = [R.randrange(1, 4)]
        if not disputed("AveragePool", extent, kernel, a, None):
            self.add(opset, [1, 2, extent], [node("AveragePool", ["x"], **a)])

    def convolution(self, op):
        opset, kernel, extent, groups = R.choice([6, 11, 22]), R.randrange(1, 5), R.randrange(1, 12), R.choice([1, 2])
        a = dict(group=groups, **self.attributes(opset))
        if R.random() < 0.5:
            a["dilations"] = [R.randrange(1, 4)]
        if R.random() < 0.3:
            a["kernel_shape"] = [kernel]
        if op == "ConvTranspose" and R.random() < 0.4:
            a["output_padding"] = [R.randrange(3)]
        if op == "ConvTranspose" and R.random() < 0.4:
            a["output_shape"] = [R.randrange(1, 30)]
        if op == "Conv" and disputed(op, extent, kernel, a, None):
            return
        constants = {"w": numbers(2, 2 // groups, kernel), "b": numbers(2 // groups * groups)}
        self.add(opset, [1, 2, extent], [node(op, ["x", "w", "b"], **a)], constants)

    def paddings(self):
        for _ in range(90):
            opset, mode = R.choice([7, 11, 13, 18, 19, 21]), R.choice(["constant", "edge", "reflect", "wrap"])
            dims, pads = [R.randrange(1, 6), R.randrange(1, 6)], [R.randrange(-3, 4) for _ in range(4)]
            if opset < 11:
                self.add(opset, dims, [node("Pad", ["x"], mode=mode, pads=pads, value=2.5)])
                continue
            constants = {"p": np.array(pads), "v": np.array(2.5, np.float32)}
            operands = ["x", "p", "v"]
            if opset >= 18 and R.random() < 0.4:
                constants.update(p=np.array(pads[:2]), a=np.array([R.choice([1, -1, 0])]))
                operands.append("a")
            self.add(opset, dims, [node("Pad", operands, mode=mode)], constants)

    def chains(self):
        """Networks of some operators one after the other, at any opset."""
        for _ in range(110):
            opset = R.choice([7, 8, 9, 11, 12, 13, 15, 17, 18, 19, 21, 22])
            dims = [1, R.choice([2, 4]), R.randrange(3, 7), R.randrange(3, 7)]
            chain = Chain(opset, dims)
            for _ in range(R.randrange(2, 5)):
                R.choice(Chain.STEPS)(chain)
            chain.nodes[-1]["out"] = ["y"]
            R.shuffle(chain.nodes)
            self.add(opset, dims, chain.nodes, chain.constants, skip_refused=True)

    def defects(self):
        """Models with one thing that is not as ONNX defines it."""
        w, p, a = numbers(2, 1, 2), np.array([1]), np.array([[1]])
        conv = lambda **more: [node("Conv", ["x", "w"], **more)]
        pool = lambda **more: [node("AveragePool", ["x"], **more)]
        flat = lambda **more: [node("Flatten", ["x"], **more)]
        models = [
            (17, conv(stride=[1]), {"w": w}), (17, conv(strides=1), {"w": w}), (17, conv(strides=[]), {"w": w}),
            (17, conv(strides=[1, 1]), {"w": w}), (17, conv(dilations=[0]), {"w": w}), (17, conv(kernel_shape=[3]), {"w": w}),
            (17, conv(group=2), {"w": w}), (17, conv(auto_pad="same_upper"), {"w": w}), (17, conv(), {"w": w.astype(np.float64)}),
            (17, conv(), {"w": w.astype(np.float16)}), (17, conv(pads=[1]), {"w": w}), (17, conv(group=0), {"w": w}),
            (17, pool(), {}), (17, pool(kernel_shape=[2, 2]), {}), (17, pool(kernel_shape=[2], pads=[2, 0]), {}),
            (9, pool(kernel_shape=[2], ceil_mode=0), {}), (17, pool(kernel_shape=[2], dilations=[1]), {}),
            (17, pool(kernel_shape=[2], ceil_mode=0.5), {}), (17, flat(axis=9), {}), (17, flat(axis="1"), {}), (8, flat(axis=-1), {}),
            (17, flat(foo=1), {}), (17, [node("Gelu", ["x"])], {}), (10, [node("Upsample", ["x", "s"])], {"s": np.ones(3, np.float32)}),
            (17, [node("Neg", ["x", "x"])], {}), (17, [node("Neg", [])], {}), (17, [node("Neg", ["x"], ["y", "z"])], {}),
            (17, [node("Squeeze", ["x"], axes=[0])], {}), (12, [node("Squeeze", ["x", "p"])], {"p": p}),
            (17, [node("ReduceSum", ["x"], axes=[1])], {}), (17, [node("ReduceSum", ["x", "p"], noop=1)], {"p": p}),
            (18, [node("ReduceMean", ["x", "a"])], {"a": a}), (17, [node("Transpose", ["x"], perm=[0, 1])], {}),
            (17, [node("Transpose", ["x"], perm=[0, 1, 1])], {}), (17, [node("Concat", ["x", "x"])], {}),
            (17, [node("Concat", ["x", "x"], axis=3)], {}), (17, [node("Add", ["x", "p"])], {"p": p}),
            (17, [node("Reshape", ["x", "p"])], {"p": np.array([7])}), (17, [node("Reshape", ["x", "p"])], {"p": np.array([2, -1], np.int32)}),
            (12, [node("Reshape", ["x", "p"], allowzero=0)], {"p": np.array([1, -1])}),
            (18, [node("Split", ["x"], ["y", "z"], axis=1)], {}), (13, [node("Split", ["x"], ["y", "z"], axis=2)], {}),
            (18, [node("Split", ["x", "p"], ["y", "z"], axis=1, num_outputs=2)], {"p": np.array([1, 1])}),
            (17, [node("Slice", ["x", "a", "a"])], {"a": a}), (9, [node("Slice", ["x", "p", "p"])], {"p": p}),
            (13, [node("Resize", ["x", "", "s", "z"])], {"s": np.ones(3, np.float32), "z": np.array([1, 1, 5])}),
            (13, [node("Resize", ["x"])], {}), (18, [node("Resize", ["x", "", "s"], antialias=1)], {"s": np.ones(3, np.float32)}),
            (13, [node("Resize", ["x", "", "s"], nearest_mode="simple")], {"s": np.ones(3, np.float32)}),
            (17, [node("Pad", ["x", "p"])], {"p": p}), (17, [node("Pad", ["x", "p"], mode="foo")], {"p": np.zeros(6, np.int64)}),
            (17, [node("DepthToSpace", ["x"])], {}), (17, [node("Pow", ["x"])], {}), (17, [node("Sum", [])], {}),
            (17, [node("Add", ["x", "h"], "g"), node("Neg", ["g"], "h"), node("Neg", ["h"])], {}),
            (17, [node("Neg", ["x"]), node("Neg", ["x"])], {}), (17, [node("Neg", ["nothing"])], {}),
            (17, [node("Cast", ["x"])], {}), (17, [node("Softmax", ["x"], axis=5)], {}), (17, [node("ConvTranspose", ["x", "w"], output_padding=[1])], {"w": w}),
        ]  # fmt: skip
        for opset, nodes, constants in models:
            self.add(opset, [1, 1 if nodes[0]["op"] in ("Conv", "ConvTranspose") else 2, 5], nodes, constants)


class Chain:
    """A network under construction; every step keeps an image of four axes."""

    def __init__(self, opset, dims):
        self.opset, self.dims, self.last = opset, list(dims), "x"
        self.nodes, self.constants = [], {}

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def then(self, op, more=(), **attributes):
        result = f"v{len(self.nodes)}"
        self.nodes.append(node(op, [self.last, *more], result, **attributes))
        self.last = result

    def conv(self):
        c, groups = self.dims[1], R.choice([1, self.dims[1]])
        m = groups * R.choice([1, 2]) if groups > 1 else R.choice([2, 4])
        more = [self.constant(numbers(m, c // groups, 3, 2))] + ([self.constant(numbers(m))] if R.random() < 0.5 else [])
        self.then("Conv", more, group=groups, pads=[1, 0, 1, 1])
        self.dims[1] = m

    def norm(self):
        c = self.dims[1]
        names = [self.constant(numbers(c)) for _ in range(3)] + [self.constant(np.abs(numbers(c)) + 0.5)]
        self.then("BatchNormalization", names, epsilon=R.choice([1e-5, 0.1]), momentum=0.9)

    def arithmetic(self):
        dims = [d if R.random() < 0.5 else 1 for d in self.dims]
        value = numbers(*dims[R.randrange(3) :])
        op = R.choice(["Add", "Sub", "Mul", "Div"])
        self.then(op, [self.constant(np.abs(value) + 0.5 if op == "Div" else value)])

    def square(self):
        R.choice([lambda: self.then("Mul", [self.last]), lambda: self.then("Pow", [self.constant(np.array([2], np.float32))])])()

    def joined(self):
        axis = R.choice([1, 2, 3, -1])
        self.then("Concat", [self.last], axis=axis)
        self.dims[axis] *= 2

    def transposed(self):
        order = R.choice([[0, 1, 3, 2], [0, 2, 1, 3], [0, 3, 2, 1]])
        self.then("Transpose", perm=order)
        self.dims = [self.dims[i] for i in order]

    def sliced(self):
        axis = R.choice([2, 3])
        start, end = R.choice([(1, 99), (0, -1), (-2, 99)])
        if self.opset < 10:
            self.then("Slice", starts=[start], ends=[end], axes=[axis])
        else:
            lists = [np.array([start]), np.array([end]), np.array([axis - 4 if R.random() < 0.5 else axis]), np.array([1])]
            self.then("Slice", [self.constant(v) for v in lists])
        self.dims[axis] = len(range(self.dims[axis])[start:end])

    def reduced(self):
        axis = R.choice([1, 2, 3])
        op = R.choice(["ReduceMean", "ReduceSum", "ReduceSumSquare"])
        listed = self.opset >= (13 if op == "ReduceSum" else 18)
        more = [self.constant(np.array([axis]))] if listed else []
        self.then(op, more, keepdims=1, **({} if listed else {"axes": [axis]}))
        self.dims[axis] = 1

    def blocks(self):
        if self.dims[1] % 4 == 0:
            mode = {"mode": R.choice(["DCR", "CRD"])} if self.opset >= 11 else {}
            self.then("DepthToSpace", blocksize=2, **mode)
            self.dims = [1, self.dims[1] // 4, self.dims[2] * 2, self.dims[3] * 2]

    def pooled(self):
        self.then("AveragePool", kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=R.randrange(2))
        self.dims = None or self.dims

    def flattened(self):
        count = int(np.prod(self.dims[1:]))
        self.then("Flatten", axis=1)
        self.then("Gemm", [self.constant(numbers(3, count)), self.constant(numbers(3))], alpha=0.5, beta=2.0, transB=1)
        self.then("Reshape", [self.constant(np.array([1, 3, 1, 1]))])
        self.dims = [1, 3, 1, 1]

    STEPS = [conv, norm, arithmetic, square, joined, transposed, sliced, reduced, blocks, pooled, flattened]


def main():
    cases = Cases()
    cases.resizes()
    cases.windows()
    cases.paddings()
    cases.chains()
    cases.defects()


main()
