"""Write `audiosearch/vectors/product.onnx`: the product of float16 rows and float32 columns.

`python -m scripts.make_product` (needs onnx, of the extra `clap`). NumPy widens float16 one value at
a time; ONNX Runtime does it with the processor's own instructions.
"""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).parents[1] / "audiosearch" / "vectors" / "product.onnx"


def graph() -> bytes:
    """Return the graph: (n, d) float16 `vectors` by (d, m) float32 `queries` give (n, m) `cosines`."""
    from onnx import TensorProto, helper

    widen = helper.make_node("Cast", ["vectors"], ["wide"], to=TensorProto.FLOAT)
    multiply = helper.make_node("MatMul", ["wide", "queries"], ["cosines"])
    inputs = [
        helper.make_tensor_value_info("vectors", TensorProto.FLOAT16, ["n", "d"]),
        helper.make_tensor_value_info("queries", TensorProto.FLOAT, ["d", "m"]),
    ]
    outputs = [helper.make_tensor_value_info("cosines", TensorProto.FLOAT, ["n", "m"])]
    made = helper.make_graph([widen, multiply], "product", inputs, outputs)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


if __name__ == "__main__":
    PATH.write_bytes(graph())
