"""A large file arrives whole or not at all, whatever the connection does."""

import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cubes.download import DISK_MARGIN, download
from cubes.errors import CubeSourceError
from tests.sites import CONTENT, MD5, Site, breaking, serve, status


def without_ranges(handler: BaseHTTPRequestHandler, start: int) -> None:
    serve(handler, 0)


def wrong_range(handler: BaseHTTPRequestHandler, start: int) -> None:
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 0-9/{len(CONTENT)}")
    handler.send_header("Content-Length", "10")
    handler.end_headers()
    handler.wfile.write(CONTENT[:10])


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


def fetch(site: Site, folder: Path, **kwargs: Any) -> Path:
    return download(site.url, folder / "deep" / "cubes.zip", MD5, first_pause=0.001, **kwargs)


def assert_whole(path: Path) -> None:
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["cubes.zip"]


def test_a_file_arrives_with_progress(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert_whole(fetch(site, tmp_path, progress=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_broken_transfer_goes_on_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.faults = [breaking(1_000_000), breaking(0), breaking(500_000)]
    assert_whole(fetch(site, tmp_path))
    assert site.requests == [None, "bytes=1000000-", "bytes=1000000-", "bytes=1500000-"]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_fault_that_may_pass_is_waited_for(site: Site, tmp_path: Path, code: int) -> None:
    site.faults = [status(code)] * 3
    assert_whole(fetch(site, tmp_path))


def test_a_server_without_ranges_starts_over(site: Site, tmp_path: Path) -> None:
    site.faults = [breaking(1_000_000), without_ranges]
    assert_whole(fetch(site, tmp_path))


def test_another_range_than_asked_for_is_not_appended(site: Site, tmp_path: Path) -> None:
    site.faults = [breaking(1_000_000), wrong_range]
    assert_whole(fetch(site, tmp_path))


def test_an_interrupted_download_is_resumed_by_the_next(site: Site, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(site, tmp_path, progress=interrupt)
    assert_whole(fetch(site, tmp_path))
    assert site.requests[0] is None
    assert int(site.requests[1].removeprefix("bytes=").removesuffix("-")) > 1_000_000


def test_one_interrupted_before_its_check_is_only_checked(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cubes.zip.partial").write_bytes(CONTENT)
    assert_whole(fetch(site, tmp_path))


def test_what_is_here_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    fetch(site, tmp_path)
    assert_whole(fetch(site, tmp_path))
    assert len(site.requests) == 1


def test_a_partial_file_that_is_too_long_starts_over(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cubes.zip.partial").write_bytes(CONTENT + b"x")
    assert_whole(fetch(site, tmp_path))


def test_a_partial_file_of_other_bytes_is_found_out_and_removed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cubes.zip.partial").write_bytes(bytes(1000))
    with pytest.raises(CubeSourceError, match=f"instead of {MD5}"):
        fetch(site, tmp_path)
    assert_whole(fetch(site, tmp_path))


def test_a_wrong_file_in_its_place_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cubes.zip").write_bytes(b"mine")
    with pytest.raises(CubeSourceError, match=r"cubes\.zip has the MD5 checksum"):
        fetch(site, tmp_path)
    assert (tmp_path / "deep" / "cubes.zip").read_bytes() == b"mine"


def test_a_server_that_never_recovers_is_given_up_and_what_came_is_kept(
    site: Site, tmp_path: Path
) -> None:
    site.faults = [breaking(1_000_000)] + [breaking(0)] * 20
    with pytest.raises(CubeSourceError, match="1000000 bytes are kept"):
        fetch(site, tmp_path)
    site.faults = []
    assert_whole(fetch(site, tmp_path))


def test_an_address_without_the_file_is_named_at_once(site: Site, tmp_path: Path) -> None:
    site.faults = [status(404)] * 20
    with pytest.raises(CubeSourceError, match="answers 404"):
        fetch(site, tmp_path)
    assert len(site.requests) == 1


def test_nobody_at_the_address(tmp_path: Path) -> None:
    site = Site()
    site.server.server_close()
    with pytest.raises(CubeSourceError, match="cannot be reached"):
        fetch(site, tmp_path)


def test_the_disk_must_hold_it(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    free = len(CONTENT) + DISK_MARGIN - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    with pytest.raises(CubeSourceError, match="make room"):
        fetch(site, tmp_path)
    assert not list((tmp_path / "deep").iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free + 1))
    assert_whole(fetch(site, tmp_path))


def test_only_what_is_missing_must_fit(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cubes.zip.partial").write_bytes(CONTENT[:-100])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=DISK_MARGIN + 100))
    assert_whole(fetch(site, tmp_path))
