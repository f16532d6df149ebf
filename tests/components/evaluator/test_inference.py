import gc
import weakref
from pathlib import Path

import tensorflow as tf

from components.evaluator import inference


def test_a_model_is_kept_until_it_is_to_be_forgotten(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path))
    kept = weakref.ref(inference.load_model(str(tmp_path)))
    gc.collect()
    assert inference.load_model(str(tmp_path)) is kept()
    inference.forget_models()
    gc.collect()
    assert kept() is None
