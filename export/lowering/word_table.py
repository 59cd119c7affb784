"""`WordTable`: one table for rows and for products with all of its rows.

TensorFlow's converter knows no product with a transposed matrix. It writes a
transposed copy of the table beside the table, or, where the table comes first,
a product that ONNX Runtime computes three times as slowly for one query.
"""

from __future__ import annotations

from export.lowering.onnx_nodes import onnx_node
from export.lowering.registry import register
from toolkit.models.word_table import WordTable


@register(WordTable, "onnx")
def word_table(layer: WordTable):
    """Lowers the layer to `Gather` and `Gemm`."""
    units, lengths = layer.units, layer.lengths

    def gather(embedding, inputs):
        shape = (*inputs.shape, embedding.output_dim)
        rows, numbers = embedding.embeddings, inputs
        return onnx_node("Gather", [rows, numbers], [(shape, rows.dtype)])[0]

    def call(inputs, what="vectors"):
        if what == "cosines":
            found = ((inputs.shape[0], layer.words), inputs.dtype)
            table = [inputs, units.embeddings, layer.offsets()]
            return onnx_node("Gemm", table, [found], {"transB": 1})[0]
        rows = gather(units, inputs)
        return rows if what == "units" else rows * gather(lengths, inputs)

    return call
