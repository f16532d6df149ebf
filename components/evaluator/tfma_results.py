"""The test metrics once more by TensorFlow Model Analysis, in the files that its tools open."""

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx_bsl.public import tfxio

from components.evaluator.cohorts import cohorts
from components.evaluator.inference import Predictions
from components.shared.artifacts import SLICES
from components.shared.features import LABEL, PROBABILITY
from components.shared.statistics.metrics import METRICS

# TFMA's areas are sums over thresholds, which are written into its configuration one by one.
_MOST_THRESHOLDS = 2000
_BELOW_ALL = -1e-7


def auc_thresholds(scores: np.ndarray) -> list[float]:
    """Returns thresholds between which films are few, wherever the scores crowd.

    Args:
        scores: [N], float32.

    Returns:
        One below all scores, and each score once, by which the area is exact; of more than 2,000,
        as many of even ranks.
    """
    distinct = np.unique(scores)
    if distinct.size > _MOST_THRESHOLDS:
        ranks = np.linspace(0.0, 1.0, _MOST_THRESHOLDS)
        distinct = np.unique(np.quantile(scores, ranks, method="nearest"))
    # TFMA calls what is above a threshold: only below the lowest score are all films called.
    return [_BELOW_ALL, *(float(score) for score in distinct)]


def eval_config(threshold: float, scores: np.ndarray) -> tfma.EvalConfig:
    """Returns TFMA's configuration: the metrics at the threshold, overall and by slice.

    Args:
        threshold: above which TFMA counts a score as positive.
        scores: [N], float32, of the films.
    """
    at_threshold = {"thresholds": [threshold]}
    curve = {"thresholds": auc_thresholds(scores)}
    metrics = [
        tfma.metrics.ExampleCount(name="example_count"),
        tfma.metrics.AUCPrecisionRecall(name="auc_precision_recall", **curve),
        *(
            getattr(tfma.metrics, metric.tfma)(
                name=metric.name, **(at_threshold if metric.at_threshold else curve)
            )
            for metric in METRICS.values()
            if metric.tfma
        ),
        tfma.metrics.ConfusionMatrixAtThresholds(name="confusion_matrix", **at_threshold),
        tfma.metrics.CalibrationPlot(name="calibration_plot", num_buckets=10),
        tfma.metrics.ConfusionMatrixPlot(name="confusion_matrix_plot"),
    ]
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key=LABEL, prediction_key=PROBABILITY)],
        slicing_specs=[tfma.SlicingSpec(), *(tfma.SlicingSpec(feature_keys=[k]) for k in SLICES)],
        metrics_specs=tfma.metrics.specs_from_metrics(metrics),
    )


def to_examples(predictions: Predictions) -> Iterator[bytes]:
    """Yields each prediction as a serialized tf.train.Example with its label and slices."""
    members = cohorts(predictions.labels.tolist(), predictions.subtypes, predictions.patients)
    for label, score, slices in zip(predictions.labels, predictions.scores, members, strict=True):
        feature = {
            LABEL: tf.train.Feature(float_list=tf.train.FloatList(value=[label])),
            PROBABILITY: tf.train.Feature(float_list=tf.train.FloatList(value=[score])),
        }
        for name, values in slices.items():
            feature[name] = tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[value.encode() for value in values])
            )
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        yield example.SerializeToString(deterministic=True)


def write_results(
    pipeline: beam.Pipeline, predictions: Predictions, threshold: float, path: str
) -> None:
    """Adds TFMA's evaluation of the predictions to a Beam pipeline.

    Args:
        pipeline: to add to.
        predictions: of the test split.
        threshold: of the rule `probability >= threshold`.
        path: folder for TFMA's files.
    """
    source = tfxio.TFExampleBeamRecord(
        physical_format="inmem",
        telemetry_descriptors=["YoudenEvaluator"],
        raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
    )
    # TFMA counts a score at the threshold as negative, the served model as positive: the next
    # smaller number makes both decide the same.
    below = float(np.nextafter(np.float32(threshold), np.float32(0.0)))
    _ = (
        pipeline
        | "Predictions" >> beam.Create(list(to_examples(predictions)))
        | "ToArrow" >> source.BeamSource()
        | "TFMA"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_config=eval_config(below, predictions.scores), output_path=path
        )
    )
