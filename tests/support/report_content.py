"""A report's content made up for tests, and what a browser would make of the page."""

import io
import math
from collections import Counter
from html.parser import HTMLParser
from typing import Any

from PIL import Image

from components.reporter.content import Content

VOID = {"meta", "link", "br", "img", "wbr"}

# At 0.5: 3 of 4 pneumonias found, 3 of 4 normals cleared; 15 of the 16 pairs are in order.
PNEUMONIAS = (0.9, 0.8, 0.7, 0.4)
NORMALS = (0.1, 0.2, 0.3, 0.6)
TEST_METRICS = {
    "auc": 0.9375,
    "average_precision": 0.95,
    "accuracy": 0.75,
    "balanced_accuracy": 0.7512,
    "brier": 0.1251,
    "recall": 0.75,
    "specificity": 0.75,
    "precision": 0.75,
    "f1": 0.75,
    "loss": 0.4127,
    "confusion_matrix": {"tn": 3, "fp": 1, "fn": 1, "tp": 3},
}


def stressed(*rates: tuple[str, str, float | None, float | None]) -> dict[str, Any]:
    """What a split's changed films gave: kind, strength, recall and specificity of each change."""

    def measured(recall: float | None, specificity: float | None) -> dict[str, Any]:
        return {
            "auc": 0.9,
            "recall": recall,
            "specificity": specificity,
            "balanced_accuracy": None
            if recall is None or specificity is None
            else (recall + specificity) / 2,
            "intervals": {"recall": [0.1, 0.99], "specificity": [None, None]},
        }

    return {
        "films": 40,
        "patients": 31,
        "unchanged": measured(0.95, 0.85),
        "changes": [
            {"kind": kind, "strength": strength, **measured(*pair)}
            for kind, strength, *pair in rates
        ],
        "lowest": 0.625,
        "mean": 0.7125,
    }


def a_slice(films: int, patients: int, **measured: Any) -> dict[str, Any]:
    matrix = TEST_METRICS["confusion_matrix"]
    return {"films": films, "patients": patients, "confusion_matrix": matrix, **measured}


def png(width: int = 4, height: int = 4, grey: int = 100) -> bytes:
    """A film of one grey level."""
    buffer = io.BytesIO()
    Image.new("L", (width, height), grey).save(buffer, "PNG")
    return buffer.getvalue()


def error(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "miss",
        "file_name": "test-3.jpeg",
        "patient": "test-1",
        "label": 1,
        "probability": 0.4,
        "picture": "errors/000.png",
        "heatmap": [[0.0, 1.0], [0.5, 0.0]],
        **changes,
    }


def metrics(**changes: Any) -> dict[str, Any]:
    """The content of metrics.json."""
    passed = {"value": 0.9375, "bound": 0.9, "passed": True}
    features = ("aspect_ratio", "file_size", "mean_brightness")
    unknown = {feature: {"r": None, "interval": [None, None]} for feature in features}
    return {
        "notice": "Decision support, not a medical device: a clinician reads every film.",
        "split": "test",
        "threshold": 0.5,
        **TEST_METRICS,
        "bootstrap_resamples": 2000,
        "youden": {
            "sensitivity": 0.8571,
            "specificity": 0.8333,
            "j": 0.6904,
            "lowest": 0.4312,
            "highest": 0.5688,
            "rule": "calibrated",
            "highest_j": 0.71,
        },
        "eval": {**TEST_METRICS, "auc": 0.9111, "precision": None},
        "gate": {"auc": passed},
        "pushed": True,
        "pushed_version": "1700000001",
        "model_path": "/served/pneumonia/1700000001",
        "champion": None,
        "champion_lost": "",
        "counts": {
            "kept": {"train": {"NORMAL": 41, "PNEUMONIA": 42}, "test": {"NORMAL": 4}},
            "quarantined": {"train": {"NORMAL": 2}, "val": {"PNEUMONIA": 1}},
        },
        "timings": {"Trainer": 125.2, "Pusher": 0.34},
        "cached": ["Trainer"],
        "serving_check": {
            "films": 8,
            "max_difference": 1.2e-7,
            "latency_ms": 48.31,
            "load_seconds": 4.2,
        },
        "training_cost": {"films_through_backbone": 9902, "epochs_seconds": 61.0},
        "backbone": "imagenet",
        "versions": {"tfx": "1.16.0"},
        "intervals": {
            "auc": [0.8126, 0.9874],
            "recall": [0.25, 1.0],
            "f1": [math.nan, math.nan],
            "specificity": [0.3, 1.0],
            "average_precision": [0.81, 0.99],
            "brier": [0.05, 0.21],
        },
        "wilson": {"recall": [0.3006, 0.9544], "specificity": [0.3007, 0.9543]},
        "curves": {
            "roc": {
                "false_positive_rate": [0.0, 0.5, 1.0],
                "true_positive_rate": [0.75, 1.0, 1.0],
                "low": [0.2, 0.6, 1.0],
                "high": [1.0, 1.0, 1.0],
            },
            "precision_recall": {
                "recall": [0.0, 0.5, 1.0],
                "precision": [1.0, 1.0, 0.8],
                "low": [0.5, 0.6, None],
                "high": [1.0, 1.0, None],
            },
        },
        "points_on_test": {
            "sensitivity_at_specificity": {"0.90": {"value": 0.7501, "interval": [0.25, 1.0]}},
            "specificity_at_sensitivity": {"0.95": {"value": 0.7502, "interval": [None, 1.0]}},
        },
        "operating_points": {
            "sensitivity_95": {
                "rule": "sensitivity at least 0.95 on eval",
                "threshold": 0.4,
                "eval": {"recall": 1.0, "specificity": 0.7511},
                "test": {**TEST_METRICS, "recall": 0.9911, "specificity": 0.7522},
                "intervals": {"recall": [0.9, 1.0], "specificity": [0.3, 1.0]},
            }
        },
        "calibration": {
            "brier": 0.1251,
            "ece": 0.3002,
            "ece_bins": 10,
            "bins": [
                {
                    "low": 0.1,
                    "high": 0.2,
                    "films": 3,
                    "mean_probability": 0.15,
                    "observed": 0.0,
                    "interval": [0.0, 0.5615],
                },
                {
                    "low": 0.7,
                    "high": 0.8,
                    "films": 5,
                    "mean_probability": 0.75,
                    "observed": 0.8,
                    "interval": [0.3755, 0.9638],
                },
            ],
            "slope": 1.2345,
            "intercept": -0.4321,
            "intervals": {"ece": [0.1, 0.4], "slope": [0.5, 3.5], "intercept": [-1.5, 0.5]},
        },
        # 0.75 * 0.2 / (0.75 * 0.2 + 0.25 * 0.8) = 0.4286; 0.75 * 0.8 / (... + 0.25 * 0.2) = 0.9231
        "prevalence": [
            {
                "prevalence": 0.2,
                "ppv": 0.4286,
                "npv": 0.9231,
                "ppv_interval": [0.1, 1.0],
                "npv_interval": [0.8, 1.0],
            },
            {
                "prevalence": 0.5,
                "ppv": 0.75,
                "npv": None,
                "ppv_interval": [None, None],
                "npv_interval": [None, 1.0],
            },
        ],
        "decision_curve": {
            "threshold_probability": [0.1, 0.2, 0.5],
            "model": [0.44, 0.45, 0.25],
            "all": [0.4444, 0.375, 0.0],
        },
        "threshold_transfer": {
            "thresholds": [0.0, 0.5, 1.0],
            "eval": [0.0, 0.6904, 0.0],
            "test": [0.0, 0.5, 0.0],
            "points": {
                "chosen": {"threshold": 0.55, "eval_j": 0.6904, "test_j": 0.5},
                "half": {"threshold": 0.5, "eval_j": 0.61, "test_j": 0.52},
                "oracle": {"threshold": 0.35, "eval_j": 0.6, "test_j": 0.75},
            },
        },
        "slices": {
            "image_size": {
                "large": a_slice(2, 1, auc=None, recall=0.5),
                "small": a_slice(
                    6,
                    3,
                    auc=0.875,
                    recall=0.5,
                    specificity=0.75,
                    intervals={"auc": [0.6, 1.0], "recall": [0.1, 0.9]},
                ),
            },
            "subtype_against_all_normals": {
                "virus": a_slice(6, 4, auc=0.875, recall=0.5, specificity=0.75)
            },
        },
        "controls": {
            "aspect_ratio": {"auc": 0.8125, "interval": [0.7, 0.9], "direction": "higher"},
            "file_size": {"auc": 0.9, "interval": [0.8, 0.95], "direction": "lower"},
            "lungs_blanked": {"auc": 0.65, "interval": [0.5, 0.8]},
        },
        "stress": {
            "eval": stressed(("gamma", "0.6", 0.9, 0.7)),
            "test": stressed(
                ("gamma", "0.6", 0.9, 0.7),
                ("noise", "5 %", 0.25, 1.0),
                ("mirror image", "", None, 1.0),
            ),
        },
        "correlations": {
            "NORMAL": {**unknown, "sharpness": {"r": -0.4321, "interval": [-0.6, -0.2]}},
            "PNEUMONIA": {**unknown, "sharpness": {"r": 0.0987, "interval": [-0.1, 0.3]}},
        },
        "stressed_balanced_accuracy": 0.625,
        "errors": [error(), error(kind="false alarm", label=0, probability=0.6, heatmap=None)],
        "overlap": {
            "patients": {"train/eval": 0, "train/test": 0, "eval/test": 0},
            "images": {"train/eval": 0, "train/test": 2, "eval/test": 0},
        },
        "data_fingerprint": "c0ffee",
        "code_version": {"package": "0.1.0", "commit": "0123abcd"},
        **changes,
    }


def content(**changes: Any) -> Content:
    films = [(1, p) for p in PNEUMONIAS] + [(0, p) for p in NORMALS]
    predictions = [
        {
            "split": split,
            "file_name": f"{split}-{number}.jpeg",
            "patient": f"{split}-{number // 2}",
            "label": label,
            "subtype": "virus" if label else "normal",
            "probability": probability,
        }
        for split in ("eval", "test")
        for number, (label, probability) in enumerate(films)
    ]
    history = [
        {"epoch": 0, "loss": 0.7, "accuracy": 0.6, "eval_loss": 0.65, "eval_auc": 0.8},
        {"epoch": 1, "loss": 0.5, "accuracy": 0.7, "eval_loss": 0.55, "eval_auc": 0.9111},
        {"epoch": 2, "loss": 0.4, "accuracy": 0.8, "eval_loss": 0.6, "eval_auc": 0.9},
    ]
    lineage = [
        {
            "node": "Trainer",
            "execution": 17,
            "state": "CACHED",
            "outputs": [{"key": "model", "artifact": 23, "uri": "gs://bucket/Trainer/model/17"}],
        },
        {"node": "Pusher", "execution": 18, "state": "COMPLETE", "outputs": []},
    ]
    fields: dict[str, Any] = {
        "metrics": metrics(),
        "predictions": predictions,
        "history": history,
        "quarantine": [("train/NORMAL/a.jpeg", "not a picture")],
        "config": {
            "seed": 1,
            "example_gen": {"undersampling": 1.0},
            "transform": {"square": "pad"},
            "trainer": {"epochs": 3, "backbone": "imagenet"},
        },
        "pictures": {"errors/000.png": png()},
        "lineage": lineage,
    }
    return Content(**{**fields, **changes})


class Page(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []  # (tag, name, value)
        self.styles: list[str] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self._words: list[str] = []
        self.feed(html)
        self.text = " ".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.styles.append(data)
            return
        self._words.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    def row(self, *first: str) -> list[str]:
        """Returns the only row that begins with these cells."""
        (found,) = (row for row in self.rows if row[: len(first)] == list(first))
        return found[len(first) :]

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]
