"""The second reader's page: what it is made of, and driven in headless Chromium."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.mouse_button import MouseButton
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from serving.client.answers import Answer
from serving.client.client import Reading
from serving.client.command import as_csv
from support.films import encode, tiny_film
from support.page_server import (
    BROKEN,
    NOTICE,
    PAGE,
    THRESHOLD,
    TOKEN,
    Film,
    Stub,
    answered,
    serving,
    twenty_films,
)

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
# Of every text that is seen, as WCAG 2 has it: the contrast, and the text.
CONTRASTS = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => numbers(colour).slice(0, 3).reduce((sum, level, i) => {
  const part = level / 255;
  const linear = part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  return sum + [0.2126, 0.7152, 0.0722][i] * linear;
}, 0);
const ground = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return (numbers(colour)[3] ?? 1) === 1 ? colour : ground(element.parentElement);
};
return [...document.body.querySelectorAll("*")]
  .filter((one) => one.checkVisibility() && !one.closest(".unseen, .skip, canvas, noscript"))
  .filter((one) => !one.matches(":disabled") && !one.parentElement.querySelector(":disabled"))
  .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .map((one) => {
    const levels = [light(getComputedStyle(one).color), light(ground(one))].sort((a, b) => b - a);
    return [(levels[0] + 0.05) / (levels[1] + 0.05), one.textContent];
  });
"""
# After the next picture was drawn, the colour at a point of the film: shares of its width and
# height, which is the point of the canvas while the film is not enlarged.
PIXEL = """
const [x, y, width, height, done] = arguments;
const canvas = document.querySelector("#canvas");
const fit = Math.min(canvas.width / width, canvas.height / height);
const at = (share, side, room) => Math.floor((room - side * fit) / 2 + share * side * fit);
requestAnimationFrame(() => requestAnimationFrame(() => {
  const [left, top] = [at(x, width, canvas.width), at(y, height, canvas.height)];
  done([...canvas.getContext("2d").getImageData(left, top, 1, 1).data.slice(0, 3)]);
}));
"""
SQUARE, RAMP_SIZE = (32, 32), (256, 192)


class Page:
    """The page in a browser, by what a reader does and sees."""

    def __init__(self, driver: webdriver.Chrome, stub: Stub, folder: Path) -> None:
        self.driver, self.stub, self.folder = driver, stub, folder
        driver.get(stub.url)
        self.until(lambda: self.text("model") != "Asking the server for its model …")

    def until(self, holds: Callable[[], object]) -> None:
        WebDriverWait(self.driver, 20, 0.02).until(lambda _: holds())

    def find(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self.find(name).text

    def choose(self, films: list[Film]) -> None:
        for film in films:
            (self.folder / film.name).write_bytes(film.data)
        self.find("files").send_keys("\n".join(str(self.folder / film.name) for film in films))

    def read(self, films: list[Film]) -> None:
        self.choose(films)
        self.until(lambda: self.text("progress").startswith(f"{len(films)} of {len(films)} done"))

    def names(self) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, "#rows button")

    def rows(self) -> list[list[str]]:
        script = """return [...document.querySelectorAll("#rows tr")].map(
            (row) => [...row.children].map((cell) => cell.textContent))"""
        return self.driver.execute_script(script)

    def open(self, name: str) -> None:
        row = [row[0] for row in self.rows()].index(name)
        self.driver.execute_script("arguments[0].click()", self.names()[row])
        self.until(lambda: str(self.find("canvas").get_attribute("aria-label")).startswith(name))

    def slide(self, name: str, value: int) -> None:
        script = """arguments[0].value = arguments[1];
            arguments[0].dispatchEvent(new Event("input"))"""
        self.driver.execute_script(script, self.find(name), value)

    def pixel(self, x: float, y: float, size: tuple[int, int] = SQUARE) -> list[int]:
        return self.driver.execute_async_script(PIXEL, x, y, *size)

    def focused(self) -> str:
        return self.driver.switch_to.active_element.text

    def press(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    def downloaded(self, name: str) -> str:
        path = self.folder.parent / "downloads" / name
        self.until(path.exists)
        return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "films"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def driver(folder: Path) -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS.split(), f"--user-data-dir={folder.parent / 'profile'}"):
        options.add_argument(flag)
    downloads = str(folder.parent / "downloads")
    options.add_experimental_option("prefs", {"download.default_directory": downloads})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(chromedriver)) as driver:
        driver.set_window_size(1280, 900)
        yield driver


@pytest.fixture(scope="module")
def page(driver: webdriver.Chrome, folder: Path) -> Iterator[Page]:
    """The page after it has read twenty films; no test takes any of them away."""
    films = twenty_films()
    with serving(Stub(films, busy={films[0].data})) as stub:
        page = Page(driver, stub, folder)
        page.read(films)
        yield page


@pytest.fixture
def new_page(driver: webdriver.Chrome, folder: Path) -> Iterator[Callable[[Stub], Page]]:
    """Opens a page of another server in a tab of its own."""
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    stubs: list[Any] = []

    def make(stub: Stub) -> Page:
        stubs.append(serving(stub))
        return Page(driver, stubs[-1].__enter__(), folder)

    yield make
    driver.close()
    driver.switch_to.window(first)
    for stub in stubs:
        stub.__exit__(None, None, None)


class Elements(HTMLParser):
    """Every element of a page: its name and its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def elements() -> list[tuple[str, dict[str, str | None]]]:
    return Elements((PAGE / "index.html").read_text(encoding="utf-8")).found


Found = list[tuple[str, dict[str, str | None]]]


def test_the_page_needs_nothing_that_its_policy_forbids(elements: Found) -> None:
    names = [name for name, _ in elements]
    attributes = {name for _, attributes in elements for name in attributes}
    assert names.count("script") == 1
    assert "style" not in {*names, *attributes}
    assert not [name for name in attributes if name.startswith("on")]
    addresses = {attributes.get(key) for _, attributes in elements for key in ("src", "href")}
    assert addresses == {None, "data:,", "page.css", "page.js", "report", "#worklist", "#viewer"}
    code = (PAGE / "page.js").read_text(encoding="utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacent|eval|Function\(|Storage|cookie|https?:"
    assert not re.findall(forbidden, code)
    assert not re.findall(r"url\(|@import", (PAGE / "page.css").read_text(encoding="utf-8"))


def test_every_name_in_the_script_is_an_element_and_every_input_has_a_label(
    elements: Found,
) -> None:
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    asked = set(re.findall(r'byId\("([^"]+)"\)', (PAGE / "page.js").read_text(encoding="utf-8")))
    assert len(asked) > 30
    assert asked <= set(ids)
    labelled = {attributes["for"] for name, attributes in elements if name == "label"}
    inputs = {attributes["id"] for name, attributes in elements if name == "input"}
    assert inputs == labelled
    outputs = {attributes.get("for") for name, attributes in elements if name == "output"}
    assert outputs == {"opacity", "level", "window", None}


def test_the_worklist_is_sorted_by_probability_and_failures_end_it(page: Page) -> None:
    films = [film for film in page.stub.films if film.status == 200]
    films.sort(key=lambda film: -film.answer["probability"])
    expected = []
    for film in films:
        probability = film.answer["probability"]
        label = "▲ PNEUMONIA" if probability >= 0.834 else "▽ NORMAL"
        expected.append([film.name, f"{probability:.3f}", label])
    assert expected[0] == ["film.dcm", "0.970", "▲ PNEUMONIA"]
    assert page.rows() == [*expected, ["broken.jpeg", BROKEN]]
    assert page.text("progress") == "20 of 20 done, 1 failed"


def test_a_busy_server_is_asked_again_and_never_more_than_twice_at_once(page: Page) -> None:
    asked = [page.stub.asked.count(film.data) for film in page.stub.films]
    assert asked == [2] + 19 * [1]
    assert page.stub.most == 2


def test_the_model_and_the_notice_are_in_sight(page: Page) -> None:
    assert page.text("model") == "Model pneumonia, version 3, threshold 0.834"
    assert page.text("notice") == NOTICE
    report = page.find("report")
    assert report.is_displayed()
    assert report.get_attribute("href") == f"{page.stub.url}report"


def test_the_csv_is_that_of_the_command_and_no_formula(page: Page) -> None:
    page.find("export").click()
    text = page.downloaded("films.csv")
    readings = []
    by_name = {film.name: film for film in page.stub.films}
    for name, *_ in page.rows():
        answer = by_name[name].answer
        known = Answer(*(answer[key] for key in Answer._fields)) if len(answer) > 1 else None
        shown = Path("'=1+1.jpeg" if name == "=1+1.jpeg" else name)
        readings.append(Reading(shown, known, answer.get("error")))
    assert text == as_csv(readings)
    assert len(list(csv.reader(io.StringIO(text)))) == 21


def test_arrows_move_in_the_worklist_and_enter_opens(page: Page) -> None:
    page.open("film.dcm")
    names = [row[0] for row in page.rows()]
    assert page.focused() == names[0]
    for key, expected in (
        (Keys.ARROW_UP, 0),
        (Keys.ARROW_DOWN, 1),
        (Keys.ARROW_DOWN, 2),
        (Keys.END, 19),
        (Keys.ARROW_DOWN, 19),
        (Keys.ARROW_UP, 18),
        (Keys.HOME, 0),
        (Keys.ARROW_DOWN, 1),
    ):
        page.press(key)
        assert page.focused() == names[expected]
    assert [name.get_attribute("tabindex") for name in page.names()].count("0") == 1
    assert page.text("film-name") == "film.dcm"
    page.press(Keys.ENTER)
    assert page.text("film-name") == page.focused() == names[1]
    assert [name.get_attribute("aria-current") for name in page.names()].count("true") == 1


def test_every_control_is_reached_by_the_tab_key(page: Page) -> None:
    page.open("film.dcm")
    page.driver.execute_script("document.querySelector('.skip').focus()")
    reached = []
    for _ in range(40):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        reached.append(page.driver.switch_to.active_element.get_attribute("id"))
    wanted = "report clear export canvas whole heat opacity level window zoom-in zoom-out reset"
    assert set(wanted.split()) <= set(reached)


def test_an_open_film_shows_its_figures_against_the_threshold(page: Page) -> None:
    page.open("film.dcm")
    assert page.text("film-label") == "▲ PNEUMONIA"
    assert page.text("film-figures") == (
        "Probability 0.970, at or above the threshold 0.834. Model version 3."
    )
    scale = page.find("film-scale").find_element(By.CLASS_NAME, "scale")
    tick = scale.find_element(By.CLASS_NAME, "tick").rect
    share = (tick["x"] + tick["width"] / 2 - scale.rect["x"]) / scale.rect["width"]
    assert share == pytest.approx(THRESHOLD, abs=0.005)
    page.open("film-00.jpeg")
    assert page.text("film-label") == "▽ NORMAL"
    assert "0.050, below the threshold 0.834" in page.text("film-figures")


def test_a_failed_film_tells_why(page: Page) -> None:
    page.open("broken.jpeg")
    assert page.text("film-error") == f"No answer. {BROKEN}"
    assert page.text("film-note") == "This browser cannot show the file."
    assert not page.find("heat").is_enabled()


def test_a_dicom_film_is_shown_as_the_server_draws_it(page: Page) -> None:
    page.open("film.dcm")
    page.find("whole").click()
    for share in (0.25, 0.5, 0.9):
        assert page.pixel(share, 0.5, RAMP_SIZE) == pytest.approx(3 * [255 * share], abs=2)


def test_the_heat_map_covers_what_the_net_saw_by_its_opacity(page: Page) -> None:
    page.open("film-01.jpeg")
    page.find("heat").click()
    assert page.find("seen").is_selected()
    # Inferno's highest colour where the heat is 1, its middle where it is 0.5, over grey of 100.
    high, middle = (252, 255, 164), (188, 55, 84)
    for opacity in (0, 50, 100):
        page.slide("opacity", opacity)
        share = opacity / 100
        for x, heat, colour in ((0.1, 1.0, high), (0.5, 0.5, middle), (0.9, 0.0, high)):
            cover = share * heat
            expected = [(1 - cover) * 100 + cover * level for level in colour]
            assert page.pixel(x, 0.25) == pytest.approx(expected, abs=3)
    page.find("whole").click()
    assert not page.find("heat").is_selected()
    assert page.find("canvas").get_attribute("aria-label") == "film-01.jpeg, whole film"
    assert "proves nothing" in page.text("caption")


def test_level_and_window_stretch_the_grey_levels(page: Page) -> None:
    page.open("film-01.jpeg")
    page.find("seen").click()
    assert page.pixel(0.5, 0.25) == [100] * 3
    # From 0 to half of the range: twice as bright, and white from there on.
    page.slide("level", 25)
    page.slide("window", 50)
    assert page.pixel(0.5, 0.25) == pytest.approx(3 * [200], abs=1)
    assert page.pixel(0.5, 0.75) == [255] * 3
    page.find("reset").click()
    assert page.pixel(0.5, 0.75) == [200] * 3
    page.find("whole").click()


def test_dragging_with_the_right_button_changes_window_and_level(page: Page) -> None:
    page.open("film-01.jpeg")
    actions = ActionBuilder(page.driver, duration=0)
    pointer = actions.pointer_action
    pointer.move_to(page.find("canvas")).pointer_down(MouseButton.RIGHT)
    pointer.move_to(page.find("canvas"), 40, -20).pointer_up(MouseButton.RIGHT)
    actions.perform()
    values = [page.find(name).get_attribute("value") for name in ("window", "level")]
    assert values == ["120", "45"]


def test_the_wheel_zooms_where_it_points_and_a_drag_moves(page: Page) -> None:
    page.open("film.dcm")
    canvas = page.find("canvas")
    # At 0.75 of the film's width; its height is the canvas's.
    away = round(canvas.rect["height"] * 256 / 192 / 4)
    before = page.pixel(0.75, 0.5, RAMP_SIZE)
    origin = ScrollOrigin.from_element(canvas, away, 0)
    ActionChains(page.driver).scroll_from_origin(origin, 0, -400).perform()
    page.until(lambda: page.text("zoom") == "272 %")  # e, 400 / 400 times
    assert page.pixel(0.75, 0.5, RAMP_SIZE) == pytest.approx(before, abs=2)
    middle = page.pixel(0.5, 0.5, RAMP_SIZE)
    assert middle == pytest.approx(3 * [255 * (0.75 - 0.25 / 2.718)], abs=2)
    ActionChains(page.driver).drag_and_drop_by_offset(canvas, away, 0).perform()
    assert page.pixel(0.75, 0.5, RAMP_SIZE) == pytest.approx(middle, abs=3)
    ActionChains(page.driver).double_click(canvas).perform()
    assert page.text("zoom") == "100 %"
    assert page.pixel(0.75, 0.5, RAMP_SIZE) == before


def test_the_film_answers_to_keys(page: Page) -> None:
    page.open("film-01.jpeg")
    page.driver.execute_script("arguments[0].focus()", page.find("canvas"))
    page.press("s")
    assert page.find("seen").is_selected()
    page.press("+++")
    assert page.text("zoom") == "195 %"  # 1.25 ** 3
    page.press(Keys.ARROW_UP, Keys.ARROW_UP)
    assert page.pixel(0.5, 0.5) == [100] * 3
    page.press(Keys.ARROW_DOWN * 4)
    assert page.pixel(0.5, 0.5) == [200] * 3
    page.press("0h")
    assert page.text("zoom") == "100 %"
    assert page.find("heat").is_selected()
    page.press("hs")
    assert page.find("whole").is_selected()


@pytest.mark.parametrize("width", [400, 320])
def test_a_narrow_screen_scrolls_one_way(page: Page, width: int) -> None:
    size = {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open(max((row[0] for row in page.rows()), key=len))
        assert page.driver.execute_script("return document.scrollingElement.scrollWidth") == width
        assert page.find("canvas").rect["width"] == width
        notice = page.find("notice").rect
        shown = page.driver.execute_script("return [scrollY, scrollY + innerHeight]")
        assert shown[0] <= notice["y"] <= notice["y"] + notice["height"] <= shown[1]
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable(page: Page, scheme: str) -> None:
    preference = {"name": "prefers-color-scheme", "value": scheme}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})
    page.open("film.dcm")
    page.driver.execute_script("document.querySelector('details').open = true")
    found = page.driver.execute_script(CONTRASTS)
    page.driver.execute_script("document.querySelector('details').open = false")
    texts = {text for _, text in found}
    assert {"film.dcm", "0.970", BROKEN, NOTICE, "Level", "Save CSV"} <= texts
    assert [text for contrast, text in found if contrast < 4.5] == []


def test_nothing_is_kept(page: Page) -> None:
    script = "return [localStorage.length, sessionStorage.length, document.cookie]"
    assert page.driver.execute_script(script) == [0, 0, ""]


def test_a_token_is_asked_for_and_the_report_is_saved_with_it(
    new_page: Callable[[Stub], Page],
) -> None:
    films = [answered("one.jpeg", encode(tiny_film(1)), 0.9)]
    page = new_page(Stub(films, token=TOKEN))
    assert not page.find("files").is_enabled()
    assert not page.find("trouble").is_displayed()
    page.find("token").send_keys("another", Keys.ENTER)
    page.until(lambda: page.text("trouble") == "The token is missing or wrong.")
    page.find("token").send_keys(TOKEN, Keys.ENTER)
    page.until(lambda: page.find("files").is_enabled())
    assert not page.find("token-form").is_displayed()
    assert not page.find("trouble").is_displayed()
    page.read(films)
    assert page.rows() == [["one.jpeg", "0.900", "▲ PNEUMONIA"]]
    page.find("report").click()
    assert page.downloaded("report.html") == "<title>The report</title>"


def test_what_is_under_way_can_be_cancelled_and_all_be_cleared(
    new_page: Callable[[Stub], Page],
) -> None:
    films = [answered(f"{i}.jpeg", encode(tiny_film(i)), 0.1) for i in range(5)]
    page = new_page(Stub(films, held={film.data for film in films[1:]}))
    page.driver.execute_script("""
        window.revoked = [];
        const revoke = URL.revokeObjectURL;
        URL.revokeObjectURL = (address) => { revoked.push(address); revoke(address); };
    """)
    page.choose(films)
    page.until(lambda: page.text("progress") == "1 of 5 done")
    assert page.rows()[1:] == [[f"{i}.jpeg", "Waiting"] for i in range(1, 5)]
    page.driver.execute_script("arguments[0].focus()", page.names()[3])
    page.driver.execute_script("arguments[0].click()", page.find("cancel"))
    page.until(lambda: page.text("progress") == "5 of 5 done, 4 failed")
    assert page.focused() == "3.jpeg"
    assert page.rows()[1:] == [[f"{i}.jpeg", "Cancelled."] for i in range(1, 5)]
    assert len(page.stub.asked) == 3
    address = page.driver.find_element(By.CSS_SELECTOR, ".thumb img").get_attribute("src")
    page.find("clear").click()
    assert page.rows() == []
    assert page.driver.execute_script("return revoked") == [address]
    assert page.text("progress") == "No films yet."


def test_a_film_too_large_and_a_server_gone_are_told_beside_the_file(
    new_page: Callable[[Stub], Page],
) -> None:
    small, large = encode(tiny_film(1)), encode(tiny_film(2, height=400, width=400), ".png")
    films = [
        answered("small.jpeg", small, 0.4, heatmap=None, seen=None),
        answered("large.png", large, 0.4),
    ]
    page = new_page(Stub(films, largest=len(small)))
    page.read(films)
    told = f"The file has {len(large)} bytes; at most {len(small)} are read."
    assert page.rows() == [["small.jpeg", "0.400", "▽ NORMAL"], ["large.png", told]]
    assert page.stub.asked == [small]
    page.open("small.jpeg")
    assert not page.find("seen").is_enabled()
    assert "This film has no heat map." in page.text("caption")


def test_an_empty_heat_map_is_told(new_page: Callable[[Stub], Page]) -> None:
    films = [answered("one.jpeg", encode(tiny_film(1)), 0.4, heatmap=[[0.0] * 7] * 7)]
    page = new_page(Stub(films))
    page.read(films)
    page.open("one.jpeg")
    assert page.find("seen").is_enabled()
    assert not page.find("heat").is_enabled()
    assert "The heat map of this film is empty." in page.text("caption")


def test_a_server_without_a_model_is_told(new_page: Callable[[Stub], Page]) -> None:
    page = new_page(Stub([], status=503))
    assert page.text("trouble") == "The model is being loaded."
    assert page.text("model") == "The model is not known: reload the page to ask again."
    assert not page.find("files").is_enabled()


def test_of_a_dropped_folder_its_films_are_read(
    new_page: Callable[[Stub], Page], tmp_path: Path
) -> None:
    data = encode(tiny_film(1))
    bare = bytes(128) + b"DICM"
    inside = {"b/film.jpeg": data, "b/notes.txt": b"no", "b/.hidden.png": b"no", "a": bare}
    for name, content in {**inside, "c": b"no"}.items():
        path = tmp_path / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    page = new_page(Stub([answered("b", data, 0.9), answered("a", bare, 0.8)]))
    for kind in ("dragEnter", "dragOver", "drop"):
        dropped = {"items": [], "files": [str(tmp_path / "archive")], "dragOperationsMask": 1}
        event = {"type": kind, "x": 100, "y": 100, "data": dropped}
        page.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)
    page.until(lambda: page.text("progress") == "2 of 2 done")
    assert [row[0] for row in page.rows()] == ["archive/b/film.jpeg", "archive/a"]


def test_a_film_larger_than_a_canvas_should_be_is_shown(new_page: Callable[[Stub], Page]) -> None:
    wide = np.full((8, 5000), 150, np.uint8)
    films = [answered("wide.png", encode(wide, ".png"), 0.9)]
    page = new_page(Stub(films))
    page.read(films)
    page.open("wide.png")
    assert page.pixel(0.5, 0.5, (5000, 8)) == pytest.approx(3 * [150], abs=1)


# The last, so that it sees what all of them did.
def test_no_request_leaves_and_the_console_is_silent(page: Page) -> None:
    events = [
        json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")
    ]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert f"{page.stub.url}readings" in asked
    # The last is what the browser's own empty tab is made of.
    own = ("http://127.0.0.1:", "blob:http://127.0.0.1:", "data:", "chrome://")
    assert [address for address in asked if not address.startswith(own)] == []
    # Chromium notes answers of 400 and more there, and what its own pages say; nothing else may be.
    noted = [
        entry
        for entry in page.driver.get_log("browser")
        if entry["source"] != "network" and not entry["message"].startswith("chrome://")
    ]
    assert noted == []
