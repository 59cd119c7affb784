"""What a check of gradients found, weight by weight."""

from __future__ import annotations

from dataclasses import dataclass

DIRECTION = "direction"
NOWHERE = "kinks only"


@dataclass(frozen=True)
class WeightGradient:
    """The gradient of one weight tensor, held against differences.

    Attributes:
        name: path of the weight, such as `dense/kernel`.
        shape: of the tensor.
        error: the largest error found, relative to the larger of the two
            derivatives, or to what rounding allows to see.
        where: place of that entry, such as `(3, 0)`, or `direction`.
        analytic: the framework's derivative there.
        numeric: that of central differences.
        entries: how many derivatives were compared.
        kinks: how many lie at a kink of the loss; each was compared a little
            beside it, or set aside if that is a kink, too.
        connected: False where the framework has no gradient at all, which
            counts as 0.
        passed: whether the error is within the tolerance.
    """

    name: str
    shape: tuple[int, ...]
    error: float
    where: tuple[int, ...] | str
    analytic: float
    numeric: float
    entries: int
    kinks: int
    connected: bool
    passed: bool


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found; `str()` makes a table of it.

    Attributes:
        loss: of the batch, in float64.
        tolerance: relative error that was accepted.
        weights: a `WeightGradient` for each trainable weight, in the model's
            order.
    """

    loss: float
    tolerance: float
    weights: tuple[WeightGradient, ...]

    @property
    def passed(self) -> bool:
        """Whether every gradient is right."""
        return not self.wrong

    @property
    def wrong(self) -> tuple[str, ...]:
        """The weights whose gradients are wrong."""
        return tuple(item.name for item in self.weights if not item.passed)

    def __str__(self) -> str:
        rows = [
            "weight shape error where analytic numeric entries kinks".split()
        ]
        for item in self.weights:
            rows.append(
                [
                    item.name,
                    str(item.shape),
                    f"{item.error:.1e}",
                    str(item.where),
                    f"{item.analytic:.6g}" if item.connected else "none",
                    f"{item.numeric:.6g}",
                    str(item.entries),
                    str(item.kinks),
                ]
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows
        ]
        for number, item in enumerate(self.weights, 1):
            lines[number] += "" if item.passed else "  wrong"
        return "\n".join(lines)

    def message(self) -> str:
        """Returns what is wrong, and where to look."""
        wrong = [item for item in self.weights if not item.passed]
        lines = [
            f"The gradients of {len(wrong)} of {len(self.weights)} weights "
            f"are wrong by more than {self.tolerance:g}, relative to the "
            "larger value:"
        ]
        for item in wrong:
            says = (
                f"the framework says {item.analytic:.6g}"
                if item.connected
                else "the framework has no gradient"
            )
            lines.append(
                f"  {item.name} at {item.where}: {says}, central differences "
                f"say {item.numeric:.6g} (error {item.error:.1e})"
            )
        lines.append(
            "Look for `tf.custom_gradient`, `tf.stop_gradient`, rounding or "
            "NumPy in the layer that owns it."
            if len(wrong) == 1
            else "A wrong gradient of a layer's inputs spoils every weight "
            "before it: look at the last layer of these first, and at the "
            "one behind it, for `tf.custom_gradient`, `tf.stop_gradient`, "
            "rounding or NumPy."
        )
        return "\n".join(lines)
