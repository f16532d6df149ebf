"""Replays golden requests against a SavedModel, in a process that has only TensorFlow.

Run as a script: `python -I replay.py MODEL GOLDEN`. It prints one JSON object: what was asked, the
largest difference, the latency. A failed check is one sentence on stderr and exit status 1.

A server has none of the project's code and none of TFX's: importing them is refused here, so that
a model which leans on either fails now and not in production.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

_REFUSED = {
    "components",
    "pipeline",
    "tfx",
    "tfx_bsl",
    "tensorflow_transform",
    "tensorflow_model_analysis",
    "tensorflow_data_validation",
    "apache_beam",
    "cv2",
    "sklearn",
}
_BATCH = 32
# Films that are asked for in more ways than one.
_FEW = 4


class _Refuse(MetaPathFinder):
    """Fails the import of what a server does not have."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in _REFUSED:
            raise ImportError(f"{name} is not there in a server")


if __name__ == "__main__":
    sys.meta_path.insert(0, _Refuse())

import tensorflow as tf  # noqa: E402 - after the refusal

Answer = dict[str, Any]
Ask = Callable[[Sequence[bytes]], Answer]


class CheckError(Exception):
    """The model is not fit to serve; the message says why."""


def expect(condition: bool, message: str) -> None:
    """Raises CheckError with the message unless the condition holds."""
    if not condition:
        raise CheckError(message)


class Client:
    """Asks the signatures of a loaded SavedModel."""

    def __init__(self, model: str) -> None:
        """Loads the model and checks what its signatures take."""
        self._loaded = tf.saved_model.load(model)  # owns the variables
        signatures = self._loaded.signatures
        for name, argument in (
            ("serving_default", "image_bytes"),
            ("serving_examples", "examples"),
        ):
            expect(name in signatures, f"the model has no signature {name}")
            taken = signatures[name].structured_input_signature[1]
            expect(set(taken) == {argument}, f"{name} takes {sorted(taken)}, not {argument}")
        self._explain = signatures.get("explain")  # a net that pools itself has none
        self._default = signatures["serving_default"]
        self._examples = signatures["serving_examples"]

    def by_bytes(self, images: Sequence[bytes]) -> Answer:
        """Asks serving_default."""
        return self._read(self._default(image_bytes=tf.constant(images)), len(images))

    def by_examples(self, images: Sequence[bytes]) -> Answer:
        """Asks serving_examples."""
        examples = []
        for image in images:
            value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
            features = tf.train.Features(feature={"image": value})
            examples.append(tf.train.Example(features=features).SerializeToString())
        return self._read(self._examples(examples=tf.constant(examples)), len(images))

    def explain(self, images: Sequence[bytes]) -> Answer:
        """Asks explain, and checks the heat map and the picture that it lies on."""
        answer = dict(self._explain(image_bytes=tf.constant(images)))
        heatmap, seen = answer.pop("heatmap").numpy(), answer.pop("seen_bytes").numpy()
        expect(
            heatmap.ndim == 3 and len(heatmap) == len(seen) == len(images),
            f"heatmap has shape {heatmap.shape} for {len(images)} films",
        )
        # Written so that what is not a number fails too.
        expect(bool(((heatmap >= 0.0) & (heatmap <= 1.0)).all()), "a heat map leaves 0 to 1")
        for picture in seen:
            shape = tf.io.decode_png(picture).shape
            expect(shape[2] == 1 and shape[0] == shape[1], f"seen_bytes is a picture of {shape}")
        return self._read(answer, len(images))

    @property
    def explains(self) -> bool:
        """Whether the model gives heat maps."""
        return self._explain is not None

    @staticmethod
    def _read(answer: Any, rows: int) -> Answer:
        expect(
            set(answer) == {"probability", "threshold", "label", "model_version"},
            f"the model answers with {sorted(answer)}",
        )
        values = {name: tensor.numpy() for name, tensor in answer.items()}
        for name, value in values.items():
            expect(value.shape == (rows,), f"{name} has shape {value.shape} for {rows} films")
        for probability, threshold, label in zip(
            values["probability"], values["threshold"], values["label"], strict=True
        ):
            expect(0.0 <= probability <= 1.0, f"a probability is {probability}")
            wanted = b"PNEUMONIA" if probability >= threshold else b"NORMAL"
            expect(label == wanted, f"{probability} at threshold {threshold} is called {label!r}")
        return values


def check_films(ask: Ask, films: Sequence[bytes], expected: Sequence[float]) -> float:
    """Asks for each film alone and for a full batch; returns the largest difference."""
    alone = [float(ask([film])["probability"][0]) for film in films]
    rows = [index % len(films) for index in range(_BATCH)]
    batch = ask([films[row] for row in rows])["probability"]
    return max(
        *(abs(a - e) for a, e in zip(alone, expected, strict=True)),
        *(abs(float(b) - expected[row]) for b, row in zip(batch, rows, strict=True)),
    )


def decoded(film: bytes, channels: int) -> tf.Tensor:
    """Returns the picture in a JPEG or PNG as other decoders give it, uint8 [H, W, channels]."""
    return tf.io.decode_jpeg(film, channels=channels, dct_method="INTEGER_ACCURATE")


def variants(film: bytes) -> list[bytes]:
    """Returns the same picture in other files: RGB PNG and, where it has no colour, grey PNG."""
    rgb = decoded(film, 3)
    files = [tf.io.encode_png(rgb).numpy()]
    if bool(tf.reduce_all(rgb[..., :1] == rgb)):
        files.append(tf.io.encode_png(rgb[..., :1]).numpy())
    return files


def odd_pictures(film: bytes) -> list[bytes]:
    """Returns pictures of sizes that no film has, as PNG and JPEG: a film less some of its edge."""
    grey = decoded(film, 1)
    files = []
    for rows, columns in ((1, 0), (0, 3), (2, 5)):
        height, width = grey.shape[0] - rows, grey.shape[1] - columns
        picture = grey[:height, :width]
        files += [tf.io.encode_png(picture).numpy(), tf.io.encode_jpeg(picture).numpy()]
    return files


def blank(film: bytes) -> bytes:
    """Returns a picture of one grey, of a film's size, which nobody is to get an answer for."""
    return tf.io.encode_png(tf.fill(decoded(film, 1).shape, tf.constant(128, tf.uint8))).numpy()


def check_broken(ask: Ask, argument: str, film: bytes) -> None:
    """Broken bytes and a blank film must give an error that names the row, and harm nothing later.

    Args:
        ask: a signature.
        argument: what the signature takes.
        film: whole bytes.
    """
    before = ask([film])["probability"]
    broken = [b"not an image", film[: len(film) // 2], b""]
    if argument == "image_bytes":
        broken.append(blank(film))
    for row, data in enumerate(broken):
        try:
            ask([*[film] * row, data, film])
        except tf.errors.InvalidArgumentError as error:
            named = f"{argument}[{row}]"
            expect(named in error.message, f"the error for broken bytes does not name {named}")
        else:
            raise CheckError("a broken image was answered as if it were whole")
    expect((ask([film])["probability"] == before).all(), "a broken image changed later answers")


def replay(model: str, golden: Path) -> dict[str, float]:
    """Runs every check.

    Args:
        model: the SavedModel's folder.
        golden: JSON file: `tolerance`, and `films`, each a `file` beside it and the evaluator's
            `probability`.

    Returns:
        `films`, `max_difference`, `latency_ms` (median of one film), `load_seconds`.

    Raises:
        CheckError: the model is not fit to serve.
    """
    content = json.loads(golden.read_text())
    films = [(golden.parent / film["file"]).read_bytes() for film in content["films"]]
    expected = [film["probability"] for film in content["films"]]
    tolerance = content["tolerance"]
    started = time.monotonic()
    client = Client(model)
    loaded = time.monotonic() - started
    largest = 0.0
    for ask, argument in ((client.by_bytes, "image_bytes"), (client.by_examples, "examples")):
        largest = max(largest, check_films(ask, films, expected))
        for film, probability in zip(films[:_FEW], expected, strict=False):
            for other in variants(film):
                largest = max(largest, abs(float(ask([other])["probability"][0]) - probability))
        pictures = odd_pictures(films[0])
        alone = [float(ask([picture])["probability"][0]) for picture in pictures]
        together = ask(pictures)["probability"]
        largest = max(largest, *(abs(a - float(b)) for a, b in zip(alone, together, strict=True)))
        check_broken(ask, argument, films[0])
    if client.explains:
        few = client.explain(films[:_FEW])["probability"]
        largest = max(largest, *(abs(float(p) - e) for p, e in zip(few, expected, strict=False)))
        check_broken(client.explain, "image_bytes", films[0])
    expect(
        largest <= tolerance,
        f"the served probabilities differ from the evaluator's by {largest:.2g}, more than "
        f"{tolerance:g}",
    )
    return {
        "films": len(films),
        "max_difference": largest,
        "latency_ms": _median_latency_ms(client, films[0]),
        "load_seconds": loaded,
    }


def _median_latency_ms(client: Client, film: bytes) -> float:
    seconds = []
    for _ in range(11):
        started = time.perf_counter()
        client.by_bytes([film])
        seconds.append(time.perf_counter() - started)
    return 1000.0 * statistics.median(seconds)


if __name__ == "__main__":
    try:
        print(json.dumps(replay(sys.argv[1], Path(sys.argv[2]))))
    except CheckError as failure:
        sys.exit(str(failure))
