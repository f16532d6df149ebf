from components.example_gen.duplicates import crossing, resolve_duplicates
from components.example_gen.film import DUPLICATE, KEPT, QUARANTINED, Film
from components.example_gen.images import Facts


def film(name: str, split: str = "train", label: int = 0) -> Film:
    return Film(name, split, label, "normal", name)


def test_the_first_by_name_stays() -> None:
    films, problems = resolve_duplicates([film("b"), film("a"), film("c")], ("test",))
    assert [(f.file_name, f.fate) for f in films] == [
        ("a", KEPT),
        ("b", DUPLICATE),
        ("c", DUPLICATE),
    ]
    assert films[1].reason == "same bytes as a"
    assert problems == []


def test_test_stays_whole() -> None:
    films, problems = resolve_duplicates([film("b", "test"), film("a", "test")], ("test",))
    assert [f.fate for f in films] == [KEPT, KEPT]
    assert problems == []


def test_across_splits_is_a_problem_with_names() -> None:
    films, problems = resolve_duplicates([film("b", "test"), film("a", "train")], ("test",))
    assert films == []
    assert problems == ["the same image is in test and train: a, b"]


def test_contradicting_labels_are_all_put_aside() -> None:
    films, _ = resolve_duplicates([film("a", label=0), film("b", label=1)], ("test",))
    assert [f.fate for f in films] == [QUARANTINED, QUARANTINED]
    assert "a, b" in films[0].reason


def test_a_patient_across_splits() -> None:
    assert crossing("IM-1", [film("a"), film("b")]) is None
    found = crossing("IM-1", [film(f"{n}", "test") for n in range(9)] + [film("x")])
    assert found == "patient IM-1 is in test and train: 0, 1, 2, 3, 4, 5 and 4 more"


def test_a_film_survives_the_manifest() -> None:
    facts = Facts(3, 4, 1, 0.1, 0.2, "grey", "positive")
    for one in (film("a"), Film("b", "test", 1, "virus", "p", "00", facts, QUARANTINED, "why, so")):
        assert Film.from_json(one.to_json()) == one
