"""Versions that change under load."""

import base64
import json
import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from support.served_model import Address, png, save, serving, wait_until

REQUESTS = 1000
CLIENTS = 32


def served_version(address: Address) -> str:
    return str(requests.get(f"{address.http}/about", timeout=30).json()["version"])


def states(address: Address) -> dict[str, str]:
    found = requests.get(f"{address.http}/v1/models/pneumonia", timeout=30).json()
    return {status["version"]: status["state"] for status in found["model_version_status"]}


def ask_all(address: Address, go_on: threading.Event) -> "Counter[tuple[int, str, float]]":
    """Sends the requests and returns status, version and probability of the answers, counted.

    The last of each client wait until `go_on`, so that some are under way at every moment.
    """
    film = base64.b64encode(png(51)).decode()
    body = json.dumps({"instances": [{"image_bytes": {"b64": film}}]}).encode()

    def client(number: int) -> list[tuple[int, str, float]]:
        found = []
        with requests.Session() as session:
            for count in range(number, REQUESTS, CLIENTS):
                if count >= REQUESTS - CLIENTS:
                    go_on.wait(60)
                url = f"{address.http}/v1/models/pneumonia:predict"
                response = session.post(url, body, timeout=60)
                (row,) = response.json()["predictions"]
                found.append(
                    (response.status_code, row["model_version"], round(row["probability"], 4))
                )
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(answer for answers in pool.map(client, range(CLIENTS)) for answer in answers)


def test_no_request_is_lost_while_versions_change_and_none_meets_a_broken_one(
    tmp_path: Path,
) -> None:
    folder, ready = tmp_path / "served" / "pneumonia", tmp_path / "ready" / "pneumonia"
    save(folder, 1)
    good = save(ready, 2, shift=0.1), save(ready, 4, shift=0.3)
    nan = save(ready, 5, shift=float("nan"))
    truncated = shutil.copytree(good[1], ready / "3")
    (truncated / "saved_model.pb").write_bytes((good[1] / "saved_model.pb").read_bytes()[:-99])
    go_on = threading.Event()
    with serving(folder) as address, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_all, address, go_on)
        for version, served in ((good[0], "2"), (truncated, "2"), (good[1], "4"), (nan, "4")):
            version.rename(folder / version.name)
            if version.name == served:
                wait_until(lambda served=served: served_version(address) == served)  # type: ignore[misc]
            else:
                wait_until(lambda name=version.name: states(address).get(name) == "END")  # type: ignore[misc]
                assert served_version(address) == served
        go_on.set()
        answers = asking.result(120)
        wait_until(lambda: states(address)["2"] == "END")
        assert states(address) == {
            "5": "END",
            "4": "AVAILABLE",
            "3": "END",
            "2": "END",
            "1": "END",
        }
    assert sum(answers.values()) == REQUESTS
    # Each version with its own probability: 51 / 255, shifted.
    assert set(answers) <= {(200, "1", 0.2), (200, "2", 0.3), (200, "4", 0.5)}
    assert answers[(200, "1", 0.2)] > 0
    assert answers[(200, "4", 0.5)] >= CLIENTS
