"""A frozen graph that was changed, as a function again."""

from __future__ import annotations

import tensorflow as tf


def rebuild(function, graph):
    """Returns the function of a changed graph.

    Args:
        function: the concrete function that the graph came from, without
            variables.
        graph: its GraphDef, changed; the inputs and outputs have kept their
            names.

    Returns:
        A concrete function with the same inputs and outputs.
    """
    imported = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(graph, name=""), []
    )
    find = imported.graph.as_graph_element
    return imported.prune(
        [find(tensor.name) for tensor in function.inputs],
        tf.nest.map_structure(
            lambda tensor: find(tensor.name), function.structured_outputs
        ),
    )
