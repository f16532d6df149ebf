"""Each section of the page: what it shows of a run that measured it, and that it says so if not."""

import base64
import io
import re
from typing import Any

import pytest
from PIL import Image

from components.reporter.render import render
from components.shared.features import CLASSES
from support.report_content import Page, a_slice, content, error, metrics, png

DASH = "\N{EN DASH}"


@pytest.fixture(scope="module")
def shown() -> Page:
    return Page(render(content()))


def page(**changes: Any) -> Page:
    return Page(render(content(metrics=metrics(**changes))))


def images(html: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_metrics_have_both_intervals(shown: Page) -> None:
    assert shown.row("Sensitivity (recall)", "0.750", "0.250 to 1.000") == [
        "0.301 to 0.954",
        "0.750",
    ]
    assert shown.row("Balanced accuracy") == ["0.751", DASH, DASH, "0.751"]
    assert shown.row("Average precision") == ["0.950", "0.810 to 0.990", DASH, "0.950"]
    assert ["Brier score", "0.125", "0.050 to 0.210", DASH, "0.125"] in shown.rows


def test_points_read_off_the_curve(shown: Page) -> None:
    assert shown.row("Sensitivity at specificity 0.90") == ["0.750", "0.250 to 1.000"]
    assert shown.row("Specificity at sensitivity 0.95") == ["0.750", DASH]


def test_operating_points_have_eval_and_test(shown: Page) -> None:
    assert shown.row("Sensitive") == [
        "sensitivity at least 0.95 on eval",
        "0.400",
        "1.000",
        "0.751",
        "0.991 (0.900 to 1.000)",
        "0.752 (0.300 to 1.000)",
    ]


def test_calibration_in_numbers(shown: Page) -> None:
    assert ["Brier score", "0.125", "0.050 to 0.210", "0"] in shown.rows
    ece = "Expected calibration error, 10 equal bins"
    assert shown.row(ece) == ["0.300", "0.100 to 0.400", "0"]
    assert shown.row("Slope") == ["1.234", "0.500 to 3.500", "1"]
    assert shown.row("Intercept") == ["-0.432", "-1.500 to 0.500", "0"]
    assert shown.row("0.7 to 0.8") == ["5", "0.750", "0.800", "0.376 to 0.964"]


def test_predictive_values(shown: Page) -> None:
    assert shown.row("20 %") == ["0.429", "0.100 to 1.000", "0.923", "0.800 to 1.000"]
    assert shown.row("50 %") == ["0.750", DASH, DASH, DASH]


def test_net_benefit_says_where_the_model_is_best(shown: Page) -> None:
    # 0.44 < 0.4444, 0.45 > 0.375, 0.25 > 0.
    assert "here at 2 of 3 threshold probabilities" in shown.text


def test_threshold_transfer(shown: Page) -> None:
    assert shown.row("Chosen on eval") == ["0.550", "0.690", "0.500"]
    assert shown.row("0.5") == ["0.500", "0.610", "0.520"]
    assert shown.row("Best on test") == ["0.350", "0.600", "0.750"]
    assert "the best one would have given 0.250 more of Youden's J" in shown.text


def test_slices_have_patients_and_intervals_in_order_of_size(shown: Page) -> None:
    assert shown.row("small") == [
        "6",
        "3",
        "0.875 (0.600 to 1.000)",
        "0.500 (0.100 to 0.900)",
        "0.750",
    ]
    assert shown.row("large") == ["2", "1", DASH, "0.500", DASH]
    assert shown.row("virus") == ["6", "4", "0.875", "0.500", "0.750"]
    order = ["virus", "small", "large"]
    assert [row[0] for row in shown.rows if row[0] in order] == order


def test_overlap_of_splits(shown: Page) -> None:
    assert shown.row("train/eval") == ["0", "0"]
    assert shown.row("train/test") == ["0", "2"]
    assert len(re.findall(r'badge bad">2<', render(content()))) == 1


def test_stress_has_a_summary_and_a_table_a_split(shown: Page) -> None:
    # (0.25 + 1.0) / 2 is lower than (0.9 + 0.7) / 2; what is undefined is not the lowest.
    assert shown.row("test") == ["0.900", "0.713", "0.625", "noise 5 %"]
    assert shown.row("eval") == ["0.900", "0.713", "0.625", "gamma 0.6"]
    assert shown.row("noise 5 %") == ["0.900", "0.250 (0.100 to 0.990)", "1.000", "0.625"]
    assert shown.row("mirror image") == ["0.900", DASH + " (0.100 to 0.990)", "1.000", DASH]
    assert [row[0] for row in shown.rows].count("gamma 0.6") == 2
    assert "Changed films of eval: 40 films of 31 patients" in shown.text


def test_correlations_within_each_class(shown: Page) -> None:
    assert shown.row("Sharpness") == ["-0.432 (-0.600 to -0.200)", "0.099 (-0.100 to 0.300)"]
    assert shown.row("Aspect ratio, width over height") == [DASH, DASH]


def test_shortcuts_stand_beside_the_model(shown: Page) -> None:
    assert shown.row("Width over height of the film") == ["0.812", "0.700 to 0.900", "higher"]
    assert shown.row("Bytes of the file") == ["0.900", "0.800 to 0.950", "lower"]
    blanked = shown.row("The model, on films with the lungs blanked")
    assert blanked == ["0.650", "0.500 to 0.800", DASH]
    assert shown.row("The model itself") == ["0.938", "0.813 to 0.987", "higher"]
    assert "the label can be told from how a film was made" in shown.text


def test_errors_show_film_and_heat_map_side_by_side() -> None:
    html = render(content())
    shown = Page(html)
    # The miss twice, the false alarm, which has no heat map, once.
    plain, overlaid, alone = images(html)
    assert plain.size == overlaid.size == alone.size == (256, 256)
    assert plain.mode == alone.mode == "L"
    assert "0.400 probability, labelled PNEUMONIA" in shown.text
    assert "0.600 probability, labelled NORMAL" in shown.text
    assert "A heat map proves nothing." in shown.text
    assert shown.values("alt") == [
        "The film test-3.jpeg",
        "The heat map over the film test-3.jpeg",
        "The film test-3.jpeg",
    ]


@pytest.mark.parametrize("pictures", [{}, {"errors/000.png": b"no picture"}])
def test_picture_that_is_gone_or_damaged_costs_no_report(pictures: dict[str, bytes]) -> None:
    html = render(content(pictures=pictures))
    assert not images(html)
    assert "The picture is not in the run folder, or cannot be read." in Page(html).text


def test_no_errors_of_a_kind() -> None:
    text = page(errors=[error()]).text
    assert "False alarms None." in text


def test_page_of_a_dozen_noisy_films_stays_small() -> None:
    noise = io.BytesIO()
    Image.effect_noise((256, 256), 40).save(noise, "PNG")
    heat = [[(row * column) % 7 / 6 for column in range(7)] for row in range(7)]
    names = [f"errors/{number:03d}.png" for number in range(12)]
    wrong = [error(picture=name, heatmap=heat) for name in names]
    full = content(metrics=metrics(errors=wrong), pictures=dict.fromkeys(names, noise.getvalue()))
    assert len(render(full)) < 3_000_000


def test_model_card_words_the_public_set_conditionally(shown: Page) -> None:
    assert "If it is the public set Chest X-Ray Images (Pneumonia): Kermany et al." in shown.text
    assert "If it is the public set: children of 1 to 5 years, anteroposterior" in shown.text
    assert "Data fingerprint c0ffee" in shown.text
    assert "Code version 0.1.0, commit 0123abcd" in shown.text
    without = page(code_version={"package": "0.1.0"}, data_fingerprint=None).text
    assert f"Data fingerprint {DASH}" in without
    assert "Code version 0.1.0 Lineage" in without


def test_full_page_is_well_formed_and_asks_the_network_for_nothing(shown: Page) -> None:
    assert not shown.open
    identifiers = shown.values("id")
    assert len(identifiers) == len(set(identifiers))
    assert {v[1:] for v in shown.values("href") if v.startswith("#")} <= set(identifiers)
    assert shown.tags["script"] == 0
    assert all(value.startswith("data:image/png;base64,") for value in shown.values("src"))
    assert all(value.startswith(("#", "data:")) for value in shown.values("href"))


def test_texts_of_the_new_sections_are_not_interpreted() -> None:
    bad = '"><script>alert(1)</script>'
    wrong = error(file_name=bad, patient=bad)
    html = render(
        content(
            metrics=metrics(
                errors=[wrong],
                data_fingerprint=bad,
                code_version={"package": bad, "commit": bad},
                slices={bad: {bad: a_slice(1, 1)}},
                controls={bad: {"auc": 0.5, "interval": [None, 1.0], "direction": bad}},
                overlap={"patients": {bad: 0}, "images": {bad: 0}},
                operating_points={
                    bad: {**metrics()["operating_points"]["sensitivity_95"], "rule": bad}
                },
            )
        )
    )
    assert Page(html).tags["script"] == 0
    assert "<script>" not in html


@pytest.mark.parametrize("label", [0, 1])
def test_class_of_an_error_is_named(label: int) -> None:
    assert f"labelled {CLASSES[label]}" in page(errors=[error(label=label)]).text


def test_a_wide_film_is_set_on_black() -> None:
    wide = {"errors/000.png": png(8, 4)}
    padded = images(render(content(pictures=wide)))[0]
    assert padded.getpixel((128, 10)) == 0
    assert padded.getpixel((128, 128)) == 100


def test_films_left_out_are_shown_by_reason(shown: Page) -> None:
    assert "Left out" not in shown.text
    counts = {
        "kept": {"train": {"NORMAL": 4}},
        "quarantined": {"train": {"unknown": 2}},
        "left_out": {"uncertain": 3, "of an adult": 7},
    }
    left = page(counts=counts)
    assert left.row("of an adult") == ["7"]
    assert left.row("uncertain") == ["3"]
    assert left.row("train, unknown") == ["0", "0", "0", "2"]
    assert left.row("all", "4") == ["0", "0", "2"]
