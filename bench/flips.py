"""Test-time flips: would the mean over a film and its mirror image be the better score?

    python -m bench.flips RUN [RUN ...]

Each RUN is a run folder of `cxr run`. Threshold by the pipeline's rule on eval, the rest on test.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from scipy.special import expit, logit

from bench.runs import examples, newest_model
from components.evaluator.blanking import decode_grey, encode_png
from components.evaluator.metrics import binary_metrics
from components.evaluator.threshold import youden_threshold
from components.features import EVAL, IMAGE, IMAGE_BYTES, LABEL, PROBABILITY, SIGNATURE_BYTES, TEST


def mirrored(film: bytes) -> bytes:
    """Returns a film's mirror image as PNG."""
    return encode_png(cv2.flip(decode_grey(film), 1))


def scores(serve: Any, run: Path, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels, probabilities, and probabilities of the mean log odds with the mirror."""
    labels, alone, both = [], [], []
    for record in examples(run, split):
        feature = tf.train.Example.FromString(record).features.feature
        film = feature[IMAGE].bytes_list.value[0]
        answer = serve(**{IMAGE_BYTES: tf.constant([film, mirrored(film)])})
        found = answer[PROBABILITY].numpy().astype(np.float64)
        labels.append(feature[LABEL].int64_list.value[0])
        alone.append(found[0])
        both.append(expit(logit(found).mean()))
    return np.array(labels), np.array(alone), np.array(both)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    for run in parser.parse_args().runs:
        model = tf.saved_model.load(newest_model(run))
        serve = model.signatures[SIGNATURE_BYTES]
        eval_labels, *on_eval = scores(serve, run, EVAL)
        labels, *on_test = scores(serve, run, TEST)
        for name, tuned, measured in zip(("alone", "with mirror"), on_eval, on_test, strict=True):
            point = youden_threshold(eval_labels, tuned)
            found = binary_metrics(labels, measured, point.threshold)
            keys = ("auc", "accuracy", "recall", "specificity")
            print(run, name, *(f"{key} {found[key]:.4f}" for key in keys))
    return 0


if __name__ == "__main__":
    sys.exit(main())
