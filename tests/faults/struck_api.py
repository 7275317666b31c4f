"""The API, with points at which it can be struck: `uvicorn tests.faults.struck_api:create_app`."""

from api import complete_upload, intake, submissions, uploads
from api.app import create_app
from api.multipart import FormReader
from api.upload_files import UploadFile, UploadFolder
from board.storage import DiskStorage
from tests.faults.points import after, before

__all__ = ["create_app"]

before(DiskStorage, "publish", "archive staged")
after(DiskStorage, "publish", "archive kept")

after(FormReader, "feed", "bytes arriving")
after(intake, "create_submission", "row not committed")
before(intake, "announce", "row committed")
after(intake, "announce", "announced")
before(submissions, "_read", "answer")

after(uploads, "open_upload", "upload not committed")
before(uploads, "_expiry", "upload begun")
after(UploadFile, "append", "piece written")
after(complete_upload, "queue_upload", "upload not queued")
before(complete_upload, "announce", "upload queued")
after(complete_upload, "announce", "upload announced")
after(UploadFolder, "remove", "upload file removed")
