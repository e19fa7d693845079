"""Writes ResNet-18 or ResNet-50 for 224x224 with random weights as an ONNX file, norms folded: python make_resnet.py 18|50 FILE.onnx"""

import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

depth, path = int(sys.argv[1]), sys.argv[2]
random = numpy.random.default_rng(7)
nodes, weights = [], []


def fixed(name, values):
    weights.append(numpy_helper.from_array(values.astype(numpy.float32), name))
    return name


def node(op, inputs, **attributes):
    name = f"{op.lower()}{len(nodes)}"
    nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
    return name


def conv(x, inside, out, kernel, stride, relu=True):
    scale = (2 / (inside * kernel * kernel)) ** 0.5
    name = f"conv{len(nodes)}"
    w = fixed(f"{name}.weight", random.normal(0, scale, [out, inside, kernel, kernel]))
    b = fixed(f"{name}.bias", random.normal(0, 0.1, [out]))
    pad = kernel // 2
    y = node("Conv", [x, w, b], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
    return node("Relu", [y]) if relu else y


def block(x, inside, width, stride):
    out = width * 4 if depth == 50 else width
    if depth == 50:
        y = conv(conv(x, inside, width, 1, 1), width, width, 3, stride)
        y = conv(y, width, out, 1, 1, relu=False)
    else:
        y = conv(conv(x, inside, width, 3, stride), width, width, 3, 1, relu=False)
    if stride != 1 or inside != out:
        x = conv(x, inside, out, 1, stride, relu=False)
    return node("Relu", [node("Add", [y, x])]), out


x = conv("image", 3, 64, 7, 2)
x = node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
channels = 64
for stage, blocks in enumerate([3, 4, 6, 3] if depth == 50 else [2, 2, 2, 2]):
    for i in range(blocks):
        x, channels = block(x, channels, 64 << stage, 2 if stage > 0 and i == 0 else 1)
x = node("Flatten", [node("GlobalAveragePool", [x])])
w = fixed("fc.weight", random.normal(0, channels**-0.5, [1000, channels]))
nodes.append(helper.make_node("Gemm", [x, w, fixed("fc.bias", numpy.zeros(1000))], ["logits"], transB=1))
image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 224, 224])
logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1000])
graph = helper.make_graph(nodes, f"resnet{depth}", [image], [logits], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, path)
