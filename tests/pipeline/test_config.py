from pathlib import Path

import pytest
import yaml

from components.shared.errors import InputError
from pipeline.config import PRESETS, Config, load_config


def test_seed_is_the_default_to_the_letter() -> None:
    # But for how exactly the frozen net is computed.
    assert load_config("seed").trainer.precision == "auto"
    assert load_config("seed", ["trainer.precision=float32"]) == Config()
    trainer = load_config("seed").trainer
    assert (trainer.backbone, trainer.dense_units, trainer.dropout) == ("imagenet", 128, 0.5)
    assert load_config("seed").transform.input_size == 224
    assert load_config("seed").example_gen.undersampling == 1.0


def test_the_seed_knows_nothing_of_what_came_later() -> None:
    trainer = load_config("seed").trainer
    assert (trainer.fine_tune, trainer.crop, trainer.target) == (None, 1.0, "label")
    assert (trainer.schedule, trainer.weight_decay, trainer.views) == ("constant", 0.0, 4)
    assert (trainer.warmup, trainer.keep) == (0.0, "best")
    augmentation = trainer.augmentation
    assert (augmentation.min_area, augmentation.flip) == (None, False)
    assert (augmentation.aspect_ratio, augmentation.shear, augmentation.gamma) == (1.0, 0.0, 0.0)
    assert (augmentation.sharpness, augmentation.noise) == (0.0, 0.0)
    assert load_config("seed").evaluator.gate.stressed_balanced_accuracy is None


def test_the_default_trains_all_but_the_stem_on_small_cut_outs() -> None:
    config = load_config("default")
    trainer = config.trainer
    assert (config.transform.input_size, config.transform.square) == (224, "squash")
    assert round(trainer.crop * config.transform.input_size) == 196
    assert (trainer.backbone, trainer.fine_tune, trainer.views) == ("imagenet", "conv2", None)
    assert (trainer.target, trainer.dense_units, trainer.dropout) == ("subtype", None, 0.0)
    # Nothing ends it before its schedule does.
    assert trainer.patience == trainer.epochs == 12
    assert trainer.batch_size == 32
    assert (trainer.learning_rate, trainer.schedule) == (0.0002, "cosine")
    assert (trainer.warmup, trainer.keep) == (0.05, "last")
    assert (trainer.weight_decay, trainer.precision) == (0.0001, "auto")
    assert trainer.train_size == 128
    assert trainer.augmentation.model_dump() == {
        "rotation": 10.0,
        "shift": 0.0,
        "zoom": 0.2,
        "brightness": 0.2,
        "contrast": 0.3,
        "flip": True,
        "min_area": 0.08,
        "aspect_ratio": 1.3333,
        "even_shapes": True,
        "shear": 6.0,
        "gamma": 0.6,
        "sharpness": 1.0,
        "noise": 0.06,
    }
    assert config.example_gen.undersampling == "none"
    # What it leaves out is as everywhere.
    assert config.example_gen.eval_fraction == Config().example_gen.eval_fraction
    assert trainer.normalize_features is False
    assert config.evaluator.stress_films == 40
    assert config.evaluator.gate.stressed_balanced_accuracy == 0.7


def test_quick_is_the_default_but_shorter() -> None:
    shorter = ["trainer.epochs=4", "trainer.patience=4", "evaluator.stress_films=20"]
    assert load_config("quick") == load_config("default", shorter)


def test_a_learning_rate_that_stays_does_not_rise() -> None:
    assert load_config("default", ["trainer.warmup=0"]).trainer.warmup == 0.0
    with pytest.raises(InputError) as caught:
        load_config("seed", ["trainer.warmup=0.1"])
    assert str(caught.value) == (
        "The setting trainer.warmup is 0.1: input should be 0 where trainer.schedule is not cosine."
    )


def test_the_demo_needs_no_download_and_keeps_the_net_frozen() -> None:
    trainer = load_config("demo").trainer
    assert (trainer.backbone, trainer.fine_tune, trainer.views) == ("none", None, 4)
    assert (trainer.normalize_features, trainer.epochs) == (True, 30)
    assert (trainer.target, trainer.dense_units) == ("label", 128)
    assert load_config("demo").transform.input_size == 96
    assert load_config("demo").example_gen.eval_fraction == 0.25


def test_views_belong_to_a_frozen_net() -> None:
    changes = ["trainer.fine_tune=null", "trainer.views=2", "trainer.train_size=null"]
    frozen = load_config("default", changes).trainer
    assert (frozen.fine_tune, frozen.views) == (None, 2)
    assert load_config("seed", ["trainer.fine_tune=conv5", "trainer.views=null"]).trainer.views is (
        None
    )
    # Also the views that nobody asked for.
    with pytest.raises(InputError) as caught:
        load_config("demo", ["trainer.fine_tune=conv5"])
    assert str(caught.value) == (
        "The setting trainer.views is 4: input should be null where trainer.fine_tune is set, "
        "since a net in training gives new features every epoch."
    )


def test_a_head_without_a_hidden_layer() -> None:
    assert load_config("seed", ["trainer.dense_units=null"]).trainer.dense_units is None


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_survives_its_own_yaml(preset: str, tmp_path: Path) -> None:
    config = load_config(preset)
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert load_config(str(path)) == config


def test_a_file_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("trainer:\n  epochs: 3\n  learning_rate: 1e-3\n")
    config = load_config(str(path), ["trainer.epochs=5", "evaluator.gate.specificity=null"])
    assert config.trainer.epochs == 5
    assert config.trainer.learning_rate == 0.001
    assert config.evaluator.gate.specificity is None
    assert config.trainer.batch_size == 32
    assert (
        load_config("seed", ["example_gen.undersampling=none"]).example_gen.undersampling == "none"
    )
    assert load_config("seed", ["trainer.views=null"]).trainer.views is None
    path.write_text("")
    assert load_config(str(path)) == Config()


def test_a_backbone_file_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given, expected in (
        ("nets/resnet.keras", str(tmp_path / "nets" / "resnet.keras")),
        ("none", "none"),
        # Of a cluster.
        ("pvc://weights/resnet.keras", "pvc://weights/resnet.keras"),
    ):
        config = load_config("seed", [f"trainer.backbone={given}"])
        assert config.trainer.backbone == given
        assert config.on_this_machine().trainer.backbone == expected


def test_a_patient_key_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given, expected in (("keys/a", str(tmp_path / "keys" / "a")), ("pvc://k/a", "pvc://k/a")):
        config = load_config("seed", [f"example_gen.patient_key={given}"]).on_this_machine()
        assert config.example_gen.patient_key == expected
    assert load_config("seed").on_this_machine() == load_config("seed")


def test_numbers_are_labels_too() -> None:
    table = load_config("seed", ["example_gen.table.pneumonia=[1, high, 2.0]"]).example_gen.table
    assert table.pneumonia == ["1", "high", "2.0"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainer.epoch=5", "trainer.epoch is unknown (did you mean epochs? allowed here: backb"),
        ("learning_rate=1", "learning_rate is unknown (allowed here: seed, example_gen"),
        ("example_gen.table.layout=mimic", "example_gen.table.layout is 'mimic': input should be"),
        ("example_gen.table.labels=x", "table.labels is unknown (did you mean label? allowed here"),
        ("example_gen.table.places=[films]", "['films']: input should be places with {path} in"),
        ("example_gen.test_fraction=1.0", "test_fraction is 1.0: input should be less than 1"),
        ("trainer.epochs=many", "trainer.epochs is 'many': input should be a valid integer"),
        ("trainer.epochs=0", "trainer.epochs is 0: input should be greater than or equal to 1"),
        ("trainer.epochs=2.5", "trainer.epochs is 2.5: input should be a valid integer"),
        ("trainer.epochs=true", "trainer.epochs is True: input should be a valid integer"),
        ("trainer.batch_size=5", "trainer.batch_size is 5: input should be a multiple of 2"),
        ("trainer.fine_tune=conv5", "trainer.views is 4: input should be null where trainer.fine"),
        ("trainer.fine_tune=''", "trainer.fine_tune is '': string should have at least 1 char"),
        ("trainer.fine_tune=5", "trainer.fine_tune is 5: input should be a valid string"),
        ("trainer.views=0", "trainer.views is 0: input should be greater than or equal to 1"),
        ("trainer.crop=0", "trainer.crop is 0: input should be greater than 0"),
        ("trainer.crop=1.5", "trainer.crop is 1.5: input should be less than or equal to 1"),
        ("trainer.target=kind", "trainer.target is 'kind': input should be 'label' or 'subtype'"),
        ("trainer.schedule=step", "is 'step': input should be 'constant' or 'cosine'"),
        ("trainer.weight_decay=-1", "trainer.weight_decay is -1: input should be greater than or"),
        ("trainer.precision=float16", "'float16': input should be 'float32', 'bfloat16' or 'auto'"),
        ("trainer.train_size=160", "trainer.train_size is 160: input should be null where traine"),
        ("trainer.train_size=31", "train_size is 31: input should be greater than or equal to 32"),
        ("trainer.distribution=tpu", "is 'tpu': input should be 'none', 'mirrored' or 'multi_wor"),
        ("trainer.dense_units=0", "trainer.dense_units is 0: input should be greater than or eq"),
        ("trainer.augmentation.min_area=0", "min_area is 0: input should be greater than 0"),
        ("trainer.augmentation.min_area=2", "min_area is 2: input should be less than or equal"),
        ("trainer.augmentation.flip=1", "augmentation.flip is 1: input should be a valid boolean"),
        ("trainer.dropout=1.0", "trainer.dropout is 1.0: input should be less than 1"),
        ("trainer.learning_rate=.inf", "trainer.learning_rate is inf: input should be"),
        ("transform.square=stretch", "transform.square is 'stretch': input should be 'pad', 'crop"),
        ("example_gen.undersampling=0.5", "'none' or a ratio of at least 1"),
        ("example_gen.undersampling=.nan", "'none' or a ratio of at least 1"),
        ("example_gen.undersampling=all", "'none' or a ratio of at least 1"),
        ("example_gen.eval_fraction=1", "example_gen.eval_fraction is 1: input should be less"),
        ("evaluator.gate.recall=90", "evaluator.gate.recall is 90: input should be less than"),
        ("trainer=fast", "trainer is 'fast': it is a section with keys of its own"),
        ("pusher.model_name=../up", "pusher.model_name is '../up': string should match"),
        ("trainer.epochs", "--set trainer.epochs is not of the form section.key=value"),
        ("trainer..epochs=1", "is not of the form section.key=value"),
        ("seed.more=1", "--set seed.more=1: seed is a value, not a section"),
        ("trainer.epochs=[", "--set trainer.epochs=[: the value is not valid YAML"),
    ],
)
def test_a_wrong_setting_is_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config("seed", [override])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n- b\n", "holds a list, not sections"),
        ("trainer: {epochs: [\n", "is not valid YAML"),
        ("evaluator: {gate: {auc: 0.9}}\nevaluator: {}\n", "it has the key evaluator twice"),
        ("trainer: {epochs: 1, 'epochs': 2}\n", "it has the key epochs twice"),
        ("[seed]: 1\n", "it has a key that is no name"),
        ("seed: &one [1]\ntrainer: *one\n", "it has an alias"),
        (f"seed: {'[' * 30}{']' * 30}\n", "it has more than settings have levels"),
        (f"seed: {'[' * 50_000}\n", "it has more than settings have levels"),
        (f"seed: {'9' * 6_000}\n", "is not valid YAML"),
        (f"seed: {'9' * 4_000}\n", f"The setting seed is {'9' * 100}...: input should be"),
        ("trainer: {epocs: 3}\n", "trainer.epocs is unknown (did you mean epochs?"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(str(path))
    assert sentence in str(caught.value)
    with pytest.raises(
        InputError, match=r"neither a preset \(demo, quick, default, seed\) nor a file"
    ):
        load_config("sede")


def test_the_resolved_configuration_names_every_value() -> None:
    content = yaml.safe_load(load_config("demo").to_yaml())
    assert content["trainer"]["augmentation"]["rotation"] == 5.0
    assert content["trainer"]["batch_size"] == 32
    assert content["evaluator"]["gate"] == {
        "auc": 0.9,
        "recall": 0.8,
        "specificity": 0.5,
        "stressed_balanced_accuracy": None,
        "films": 30,
        "patients": 30,
    }
