"""The tus protocol against a real server, by its kept client and by hand."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import requests
from django.test import Client
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from apps.accounts.rights import Scope
from apps.team.services import create_api_key
from apps.uploads import services as uploads
from apps.uploads.models import Arrival, Upload
from apps.uploads.tus_slices import SLICE
from tests.servers import eventually, web
from tests.traces.calls import lines, session_rows
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock(), web() as (address, _):
        yield f"http://{address}"


@pytest.fixture
def key(world: World) -> str:
    return key_of(world)


def key_of(world: World, **options: Any) -> str:
    return create_api_key(
        workspace=world.workspace, name="k", scopes=[Scope.INGEST], actor=world.admin, **options
    )[1]


def client_of(server: str, key: str) -> TusClient:
    return TusClient(f"{server}/api/v1/tus/?agent=support-desk", headers={"Authorization": f"Bearer {key}"})


def announce(server: str, key: str, size: int, **headers: str) -> requests.Response:
    sent = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0", "Upload-Length": str(size), **headers}
    return requests.post(f"{server}/api/v1/tus/?agent=support-desk", headers=sent, timeout=20)


def piece(url: str, key: str, offset: int, data: bytes, **headers: str) -> requests.Response:
    sent = {
        "Authorization": f"Bearer {key}",
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        **headers,
    }
    return requests.patch(url, data=data, headers=sent, timeout=20)


def offset_of(url: str, key: str) -> requests.Response:
    return requests.head(
        url, headers={"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}, timeout=20
    )


def plain(upload: Upload) -> bytes:
    with uploads.opened(upload) as stream:
        return stream.read()


class TestByTheKeptClient:
    def test_a_file_arrives_whole_encrypted_and_its_import_starts(
        self, server: str, world: World, key: str, tmp_path: Path
    ) -> None:
        data = lines(session_rows()) + os.urandom(3 * SLICE)
        (tmp_path / "log.jsonl").write_bytes(data)
        uploader = client_of(server, key).uploader(
            str(tmp_path / "log.jsonl"), metadata={"filename": "Protokoll – Mai.jsonl"}
        )
        uploader.upload()
        upload = Upload.objects.get()
        assert (upload.filename, upload.size, upload.received) == (
            "Protokoll – Mai.jsonl",
            len(data),
            len(data),
        )
        assert upload.job is not None
        told = offset_of(str(uploader.url), key).headers
        assert (told["Upload-Offset"], told["Hub-Upload"]) == (str(len(data)), str(upload.pk))
        status = requests.get(
            f"{server}/api/v1/uploads/{upload.pk}", headers={"Authorization": f"Bearer {key}"}, timeout=20
        ).json()
        assert (status["state"], status["received"]) == ("queued", len(data))
        assert plain(upload) == data
        assert b"support desk" not in Path(upload.path).read_bytes()

    def test_an_interrupted_upload_goes_on_where_it_stopped(
        self, server: str, key: str, world: World, tmp_path: Path
    ) -> None:
        data = os.urandom(5 * MIB + 17)
        (tmp_path / "big.jsonl").write_bytes(data)
        first = client_of(server, key).uploader(str(tmp_path / "big.jsonl"), chunk_size=MIB)
        first.upload_chunk()
        first.upload_chunk()
        assert Upload.objects.get().arrival is Arrival.PARTIAL
        again = client_of(server, key).uploader(str(tmp_path / "big.jsonl"), chunk_size=MIB, url=first.url)
        assert again.offset == 2 * MIB
        again.upload()
        assert plain(Upload.objects.get()) == data

    def test_an_upload_that_was_given_up_is_gone(
        self, server: str, key: str, world: World, tmp_path: Path
    ) -> None:
        (tmp_path / "a.jsonl").write_bytes(b"x" * 100)
        uploader = client_of(server, key).uploader(str(tmp_path / "a.jsonl"), chunk_size=10)
        uploader.upload_chunk()
        path = Path(Upload.objects.get().path)
        headers = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}
        assert requests.delete(uploader.url, headers=headers, timeout=20).status_code == 204
        assert not path.exists()
        with pytest.raises(TusCommunicationError):
            uploader.upload_chunk()
        assert offset_of(uploader.url, key).status_code == 404


class TestProtocol:
    def test_the_server_tells_what_it_can(self, server: str, key: str) -> None:
        told = requests.options(
            f"{server}/api/v1/tus/", headers={"Authorization": f"Bearer {key}"}, timeout=20
        ).headers
        assert told["Tus-Version"] == told["Tus-Resumable"] == "1.0.0"
        assert told["Tus-Extension"] == "creation,creation-with-upload,termination,expiration"
        assert told["Tus-Max-Size"] == str(2 * 1024**3)

    def test_the_first_piece_may_come_with_the_announcement(self, server: str, key: str) -> None:
        sent = {
            "Authorization": f"Bearer {key}",
            "Tus-Resumable": "1.0.0",
            "Upload-Length": "10",
            "Content-Type": "application/offset+octet-stream",
        }
        answer = requests.post(f"{server}/api/v1/tus/?agent=support-desk", b"12345", headers=sent, timeout=20)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")
        assert "Upload-Expires" in answer.headers
        assert offset_of(answer.headers["Location"], key).headers["Upload-Length"] == "10"

    def test_a_wrong_offset_is_a_conflict_and_changes_nothing(self, server: str, key: str) -> None:
        url = announce(server, key, 10).headers["Location"]
        assert piece(url, key, 0, b"1234").headers["Upload-Offset"] == "4"
        for wrong in (0, 3, 5):
            assert piece(url, key, wrong, b"xxxx").status_code == 409
        assert offset_of(url, key).headers["Upload-Offset"] == "4"

    def test_three_gibibytes_are_refused_when_announced(self, server: str, key: str) -> None:
        answer = announce(server, key, 3 * 1024**3)
        assert answer.status_code == 413
        assert "at most 2 GiB" in answer.json()["error"]["message"]

    def test_more_than_announced_is_refused_and_what_fits_can_still_come(self, server: str, key: str) -> None:
        url = announce(server, key, 4).headers["Location"]
        assert piece(url, key, 0, b"12345").status_code == 413
        assert piece(url, key, 0, b"1234").status_code == 204

    def test_an_empty_file_is_refused(self, server: str, key: str) -> None:
        assert announce(server, key, 0).status_code == 422

    @pytest.mark.parametrize("length", ["", "ten", "-1", "1" * 30])
    def test_a_length_that_is_no_number_is_refused(self, server: str, key: str, length: str) -> None:
        answer = announce(server, key, 1, **{"Upload-Length": length})
        assert answer.status_code == 400

    def test_metadata_that_is_no_base64_is_refused(self, server: str, key: str) -> None:
        assert announce(server, key, 1, **{"Upload-Metadata": "filename %%%"}).status_code == 400

    def test_another_version_of_the_protocol_is_refused(self, server: str, key: str) -> None:
        answer = announce(server, key, 1, **{"Tus-Resumable": "0.2.2"})
        assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")

    def test_a_piece_of_another_type_is_refused(self, server: str, key: str) -> None:
        url = announce(server, key, 4).headers["Location"]
        assert piece(url, key, 0, b"1234", **{"Content-Type": "text/plain"}).status_code == 415

    def test_a_file_that_somebody_removed_is_gone(self, server: str, key: str) -> None:
        url = announce(server, key, 4).headers["Location"]
        Path(Upload.objects.get().path).unlink()
        assert piece(url, key, 0, b"1234").status_code == 410

    def test_uploads_of_another_workspace_are_not_there(self, server: str, world: World, key: str) -> None:
        url = announce(server, key, 4).headers["Location"]
        stranger = create_api_key(
            workspace=world.elsewhere, name="k", scopes=[Scope.INGEST], actor=world.stranger
        )[1]
        assert offset_of(url, stranger).status_code == 404
        assert piece(url, stranger, 0, b"1234").status_code == 404
        assert offset_of(f"{server}/api/v1/tus/{uuid4()}", key).status_code == 404
        assert offset_of(f"{server}/api/v1/tus/x", key).status_code == 404

    def test_a_line_that_breaks_keeps_what_had_come(self, server: str, key: str) -> None:
        url = announce(server, key, 8 * MIB).headers["Location"]
        host, port = server.removeprefix("http://").split(":")
        head = (
            f"PATCH {url.removeprefix(server)} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: Bearer {key}\r\n"
            "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {8 * MIB}\r\n\r\n"
        )
        with socket.create_connection((host, int(port))) as line:
            line.sendall(head.encode() + b"a" * (5 * MIB))
        eventually(lambda: Upload.objects.get().received == 5 * MIB)
        upload = Upload.objects.get()
        assert plain(upload)[: upload.received] == b"a" * upload.received
        assert piece(url, key, upload.received, b"b" * (8 * MIB - upload.received)).status_code == 204


@pytest.mark.slow
class TestUnderStress:
    def test_a_server_killed_at_any_moment_loses_no_acknowledged_byte(self, world: World, key: str) -> None:
        data, rounds = os.urandom(24 * MIB), 4
        with web() as (address, _):
            url = announce(f"http://{address}", key, len(data)).headers["Location"]
        token = url.rpartition("/")[2]
        for number in range(rounds):
            with web() as (address, process):
                here = f"http://{address}/api/v1/tus/{token}"
                known = int(offset_of(here, key).headers["Upload-Offset"])
                acknowledged = known + 2 * MIB
                assert piece(here, key, known, data[known:acknowledged]).status_code == 204
                threading.Thread(target=_try, args=(here, key, acknowledged, data[acknowledged:])).start()
                time.sleep(0.03 * number)
                os.killpg(process.pid, signal.SIGKILL)
            assert Upload.objects.get().received >= acknowledged
        with web() as (address, _):
            here = f"http://{address}/api/v1/tus/{token}"
            known = int(offset_of(here, key).headers["Upload-Offset"])
            assert known == len(data) or piece(here, key, known, data[known:]).status_code == 204
        assert plain(Upload.objects.get()) == data

    def test_a_long_piece_takes_no_more_memory_than_a_short_one(self, world: World, key: str) -> None:
        size = 256 * MIB
        with web() as (address, process):
            server = f"http://{address}"
            assert announce(server, key, 1).status_code == 201
            before = psutil.Process(process.pid).memory_info().rss
            url = announce(server, key, size).headers["Location"]
            zeros = b"\0" * MIB
            sent = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
            sent |= {"Content-Type": "application/offset+octet-stream"}
            stream = (zeros for _ in range(size // MIB))
            assert requests.patch(url, data=stream, headers=sent, timeout=120).status_code == 204
            grown = psutil.Process(process.pid).memory_info().rss - before
        assert Upload.objects.filter(received=size).exists()
        assert grown < 64 * MIB


def _try(url: str, key: str, offset: int, data: bytes) -> None:
    with contextlib.suppress(requests.RequestException):
        piece(url, key, offset, data)


class TestInTheBrowser:
    def test_a_member_needs_the_right_and_the_token(self, world: World) -> None:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
        url = world.url("uploads:tus")
        assert world.client(world.viewer).post(url, headers=headers).status_code == 403
        assert world.client(world.stranger).post(url, headers=headers).status_code == 404
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(world.curator)
        assert strict.post(url, headers=headers).status_code == 403

    def test_files_of_one_selection_wait_for_a_person_under_one_delivery(self, world: World) -> None:
        client = world.client(world.curator)
        for name in ("in.jsonl", "out.jsonl"):
            told = ",".join(
                f"{key} {base64.b64encode(value.encode()).decode()}"
                for key, value in {"filename": name, "delivery": "d1"}.items()
            )
            headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "4", "Upload-Metadata": told}
            created = client.post(world.url("uploads:tus"), headers=headers)
            sent = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
            answer = client.patch(
                created.headers["Location"], b"{}\n\n", "application/offset+octet-stream", headers=sent
            )
            assert answer.status_code == 204
        found = Upload.objects.all()
        assert {upload.delivery for upload in found} == {"d1"}
        assert {upload.arrival for upload in found} == {Arrival.WAITING}
        assert not any(upload.job_id for upload in found)
        again = client.head(created.headers["Location"], headers={"Tus-Resumable": "1.0.0"})
        assert again.headers["Upload-Offset"] == "4"

    def test_the_largest_upload_is_a_setting(self, world: World, settings: Any) -> None:
        settings.LARGEST_UPLOAD = 3
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
        assert world.client(world.curator).post(world.url("uploads:tus"), headers=headers).status_code == 413
