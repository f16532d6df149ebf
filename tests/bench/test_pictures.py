import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from bench import pictures


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_a_picture_is_of_the_first_screen_after_a_file_was_chosen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<body style="margin:0;background:#fff"><input type="file" style="display:none">'
        '<div style="height:400px"></div><div style="height:4000px;background:#f00"></div><script>'
        'document.querySelector("input").onchange = (event) => {'
        " document.title = event.target.files[0].name;"
        ' document.querySelector("div").style.background = "#00f"; }</script>'
    )
    with pictures.browser() as browser:
        browser.open(page.as_uri())
        browser.choose("input", page)
        browser.until("document.title === 'page.html'")
        browser.picture(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (1280, 800)
        colours = [picture.convert("RGB").getpixel((640, y)) for y in (200, 600)]
    assert colours == [(0, 0, 255), (255, 0, 0)]


def test_a_run_without_a_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "run/report/report.html"
    arguments = ["pictures", "--run", str(tmp_path / "run"), "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        pictures.main()
    assert "has no report" in capsys.readouterr().err
    report.parent.mkdir(parents=True)
    report.touch()
    (tmp_path / "run/config.yaml").write_text("pusher: {model_name: pneumonia}")
    with pytest.raises(SystemExit):
        pictures.main()
    assert "has pushed no model" in capsys.readouterr().err
