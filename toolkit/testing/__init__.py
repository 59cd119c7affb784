"""Contracts that layers of your own are held to."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "check_fresh_process": "fresh_process",
        "check_layer": "layer_contract",
    },
)
