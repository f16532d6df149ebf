"""The pipeline with one thing done otherwise that is no setting, to see whether it would pay.

    python -m bench.variants label-smoothing --data holdouts/1 --output runs/smoothing-1
    python -m bench.variants weight-averaging --data holdouts/1 --output runs/averaging-1

What follows the name of the variant is for `cxr run`.
"""

import contextlib
import sys
from collections.abc import Callable
from unittest import mock

import keras

from components.trainer import model, targets
from components.trainer.settings import Settings
from pipeline import cli

_SMOOTHING = 0.1
_MOMENTUM = 0.99


def smoothed_loss(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Returns `targets.loss`, [N], with a tenth of each film's target spread over all classes.

    Szegedy et al. 2016 (CVPR). Of one logit the classes are it and zero.
    """
    if logits.shape[-1] == 1:
        logits = keras.ops.concatenate([keras.ops.zeros_like(logits), logits], axis=1)
        target = keras.ops.concatenate([1.0 - target, target], axis=1)
    each = -keras.ops.mean(keras.ops.log_softmax(logits, axis=1), axis=1)
    return (1.0 - _SMOOTHING) * targets_loss(target, logits) + _SMOOTHING * each


# The loss as it is before anything is replaced.
targets_loss = targets.loss
_compiled = model.compiled


def averaged(net: keras.Model, settings: Settings, steps: int) -> keras.Model:
    """Returns `model.compiled`, its weights replaced after each epoch by their moving average."""
    net = _compiled(net, settings, steps)
    net.optimizer.use_ema = True
    net.optimizer.ema_momentum = _MOMENTUM
    net.optimizer.ema_overwrite_frequency = steps // settings.epochs
    return net


VARIANTS: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {
    "label-smoothing": lambda: mock.patch.object(targets, "loss", smoothed_loss),
    "weight-averaging": lambda: mock.patch.object(model, "compiled", averaged),
}


def main() -> int:
    """Runs the command line."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in VARIANTS:
        print(f"'{name}' is no variant: {', '.join(VARIANTS)}.", file=sys.stderr)
        return cli.BAD_INPUT
    with VARIANTS[name]():
        return cli.main(["run", *sys.argv[2:]])


if __name__ == "__main__":
    sys.exit(main())
