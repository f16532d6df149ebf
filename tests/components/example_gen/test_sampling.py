import random

import pytest

from components.example_gen.sampling import choose_eval_patients, films_to_keep, rank, smallest


def test_rank_is_the_head_of_a_sha256() -> None:
    # printf '1/keep/a' | sha256sum
    assert rank(1, "keep", "a") == 0xAA7F8A0BB9C7105F


@pytest.mark.parametrize(
    ("counts", "ratio", "kept"),
    [
        ({0: 1000, 1: 3000}, 1.0, {0: 1000, 1: 1000}),
        ({0: 3000, 1: 1000}, 1.0, {0: 1000, 1: 1000}),
        ({0: 1000, 1: 3000}, 1.5, {0: 1000, 1: 1500}),
        ({0: 1000, 1: 1200}, 1.5, {0: 1000, 1: 1200}),
        ({0: 3, 1: 10}, 1.5, {0: 3, 1: 4}),
        ({0: 1000, 1: 3000}, None, {0: 1000, 1: 3000}),
        ({0: 5, 1: 5}, 1.0, {0: 5, 1: 5}),
    ],
)
def test_films_to_keep(counts: dict[int, int], ratio: float | None, kept: dict[int, int]) -> None:
    assert films_to_keep(counts, ratio) == kept


def test_smallest_is_exact_and_blind_to_order() -> None:
    keys = [f"film{number}" for number in range(100)]
    chosen = smallest(keys, 30, seed=3)
    random.Random(0).shuffle(keys)
    assert smallest(keys, 30, seed=3) == chosen
    assert len(chosen) == 30
    assert smallest(keys, 30, seed=4) != chosen


def test_smallest_keeps_its_choice_when_others_come() -> None:
    keys = [f"film{number}" for number in range(100)]
    more = keys + [f"new{number}" for number in range(10)]
    # A film may be pushed out by a new one, but none comes back in.
    assert smallest(more, 30, seed=3) & set(keys) <= smallest(keys, 30, seed=3)


def test_smallest_of_too_few_and_of_none() -> None:
    assert smallest(["a", "b"], 5, seed=1) == {"a", "b"}
    assert smallest([], 5, seed=1) == set()


def test_eval_takes_whole_patients_until_the_share_is_reached() -> None:
    films = {f"patient{number}": 1 + number % 3 for number in range(300)}
    chosen = choose_eval_patients(films, 0.15, seed=1)
    taken = sum(films[patient] for patient in chosen)
    # 600 films: 90 wanted, and the last patient brings 3 at the most.
    assert 90 <= taken <= 92
    assert choose_eval_patients(dict(reversed(films.items())), 0.15, seed=1) == chosen
    assert choose_eval_patients(films, 0.15, seed=2) != chosen


def test_eval_leaves_a_patient_to_train() -> None:
    assert len(choose_eval_patients({"a": 1, "b": 1}, 0.99, seed=1)) == 1
    assert len(choose_eval_patients({"a": 1, "b": 50}, 0.01, seed=1)) == 1
    with pytest.raises(ValueError, match=r"1 patient"):
        choose_eval_patients({"a": 9}, 0.5, seed=1)
