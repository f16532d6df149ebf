import pytest

from serving.refusals import reason_of


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "assertion failed: [image_bytes[3] holds no image that can be decoded]\n"
            "\t [[{{node Assert/Assert}}]]",
            "image_bytes[3] holds no image that can be decoded",
        ),
        ("Graph execution error:\n\nDetected at node Reshape\nwrong shape", "wrong shape"),
        ("", "the model refuses the input"),
        ("x" * 400, "x" * 300),
    ],
)
def test_what_is_said_of_an_input_that_the_model_refuses(message: str, told: str) -> None:
    assert reason_of(message) == told
