"""What crashes, hangs or fills the memory while DICOM is decoded does so in its own process."""

import io
import os
import signal
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pydicom
import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from components.films import apart, dicom
from components.films.errors import FilmError, NotMeantError
from components.films.reader import plain
from components.shared.limits import FilmLimits
from support import dicom_files
from support.dicom_files import EIGHT, saved
from support.films import TINY
from support.forms import forms
from support.served_model import wait_until


def test_it_answers_as_the_decoder_does() -> None:
    film = dicom_files.dicom(EIGHT)
    assert apart.to_png(film, TINY) == dicom.to_png(film, TINY)
    for bad in (b"", film[:200], dicom_files.dicom(EIGHT, BitsStored=99)):
        with pytest.raises(FilmError) as expected:
            dicom.to_png(bad, TINY)
        with pytest.raises(FilmError) as caught:
            apart.to_png(bad, TINY)
        assert str(caught.value) == str(expected.value)
        assert not isinstance(caught.value, NotMeantError)
    with pytest.raises(NotMeantError, match="is of an adult") as caught:
        apart.to_png(dicom_files.dicom(EIGHT, PatientAge="070Y"), TINY)
    assert caught.value.kind == "of an adult"


class MoreThanLimits(FilmLimits):
    seed: int = 1


def test_it_reads_by_the_limits_that_it_is_given() -> None:
    film = dicom_files.dicom(EIGHT)
    for limits in (TINY.changed(max_pixels=6), MoreThanLimits(**TINY.model_dump())):
        assert apart.to_png(film, limits) == dicom.to_png(film, TINY)
    with pytest.raises(FilmError, match="has 3 x 2 pixels; at most 5 are read"):
        apart.to_png(film, TINY.changed(max_pixels=5))


def test_a_stream_that_ends_the_decoders_process() -> None:
    film = bytearray(forms()["jpeg.dcm"])
    # The version of JFIF: GDCM throws where nothing can catch.
    film[film.index(b"JFIF\0") + 5] = 0
    with pytest.raises(FilmError, match=r"^its pixels cannot be decoded$"):
        plain(bytes(film), FilmLimits())


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No reader is there yet, and none stays."""
    idle = apart._Idle()
    monkeypatch.setattr(apart, "_idle", idle)
    yield
    for reader in idle._readers:
        reader.close()


def misbehaving(connection: Any, memory: int) -> None:
    """Stands in for `_work`; what is named here is looked up in the process that decodes."""
    while True:
        limits, data = connection.recv_bytes(), connection.recv_bytes()
        if data == b"dies":
            os.abort()
        if data == b"hangs":
            threading.Event().wait()
        if data == b"raises":
            raise MemoryError
        connection.send_bytes(b"f" + str(os.getpid()).encode() + limits[:0])


@pytest.mark.usefixtures("fresh")
class TestIsolation:
    """A decoder that dies, hangs or takes all memory takes its own process only."""

    @pytest.fixture(autouse=True)
    def _decoders(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apart, "_work", misbehaving)

    @pytest.mark.parametrize(
        ("film", "reason"),
        [
            (b"dies", "its pixels cannot be decoded"),
            (b"raises", "its pixels cannot be decoded"),
            (b"hangs", "cannot be decoded within 3 s"),
        ],
    )
    def test_it_is_a_film_error_and_the_next_film_is_read(self, film: bytes, reason: str) -> None:
        with pytest.raises(FilmError, match=reason):
            apart.to_png(film, TINY, 3.0)
        assert int(apart.to_png(b"film", TINY)) != os.getpid()

    def test_one_process_reads_many_films(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = apart.to_png(b"film", TINY)
        assert {apart.to_png(b"film", TINY) for _ in range(5)} == {first}
        # One that has died meanwhile harms no film, and one is not used for ever.
        os.kill(int(first), signal.SIGKILL)
        wait_until(lambda: not apart._idle._readers[0].usable)
        monkeypatch.setattr(apart, "_FILMS", 3)
        seen = [apart.to_png(b"film", TINY) for _ in range(6)]
        assert first not in seen
        assert [seen.count(process) for process in dict.fromkeys(seen)] == [3, 3]

    def test_films_at_a_time_have_a_process_each(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(lambda _: apart.to_png(b"film", TINY), range(40)))
        assert len(set(seen)) <= 4
        assert len(apart._idle._readers) == len(set(seen))

    def test_a_fork_leaves_its_parents_processes_alone(self) -> None:
        mine = apart.to_png(b"film", TINY)
        apart._idle._process -= 1
        assert apart.to_png(b"film", TINY) != mine


@pytest.mark.usefixtures("fresh")
def test_a_file_that_unpacks_to_more_than_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deflated DICOM file of 2 MB, and of 2 GB when it is read."""
    monkeypatch.setattr(apart, "_BYTES", 3 * 2**29)
    dataset = pydicom.dcmread(io.BytesIO(dicom_files.dicom(EIGHT)))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    small = saved(dataset)
    assert apart.to_png(small, TINY).startswith(b"\x89PNG")
    header = DicomBytesIO()
    write_file_meta_info(header, dataset.file_meta)
    start = 132 + len(header.getvalue())
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = zlib.decompress(small[start:], -15)
    element = struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"OB", 0, 2**31 - 2)
    packed = body.compress(content + element) + body.flush(zlib.Z_FULL_FLUSH)
    zeros = body.compress(bytes(2**24)) + body.flush(zlib.Z_FULL_FLUSH)
    # Not for want of time.
    with pytest.raises(FilmError, match="is no readable DICOM file"):
        apart.to_png(small[:start] + packed + 128 * zeros + body.flush(), TINY)
