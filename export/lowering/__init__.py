"""How layers leave: one file a cell or layer, and a registry for users' own.

A lowering is registered for a class and a format. It takes a layer and
returns a `call` to trace in the place of the layer's own, or a `Fallback`
that says why the layer's own is traced after all. Look-up is by exact class:
a subclass with a `call` of its own is another layer.
"""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Fallback": "registry",
        "find": "registry",
        "lowered": "registry",
        "onnx_node": "onnx_nodes",
        "register": "registry",
    },
)
