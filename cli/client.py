"""A client of a board's HTTP interface."""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypedDict

import httpx

_PIECE_BYTES = 2**18
_TIMEOUT = httpx.Timeout(60, connect=10)
_TUS = {"Tus-Resumable": "1.0.0"}

_PATIENCE = 120.0
"""Seconds for which an upload is tried again without a byte more arriving."""


class Progress(TypedDict):
    """How many of the fields have been scored."""

    done: int
    total: int


class StatisticScore(TypedDict):
    """The score of one statistic."""

    d2: float
    score: float | None
    d2_jackknife: float | None
    ci95: tuple[float, float] | None
    scatter_ratio: float | None


class Submission(TypedDict):
    """A submission, as the board tells it."""

    id: str
    track: str
    method: str
    participant: str
    state: str
    reason: str | None
    message: str | None
    progress: Progress
    queue_position: int | None
    estimate_seconds: float | None
    created_at: str
    scored_at: str | None
    attempt: int
    sha256: str
    reference: str | None
    scorer_version: str | None
    scores: dict[str, StatisticScore] | None
    overall: float | None
    overall_ci95: tuple[float, float] | None
    copy_search: dict[str, Any] | None


class LeaderboardRow(TypedDict):
    """One line of the leaderboard."""

    rank: int | None
    submission: str | None
    method: str
    participant: str | None
    baseline: bool
    overall: float | None
    overall_ci95: tuple[float, float] | None
    tied_with_leader: bool | None
    scores: dict[str, StatisticScore]


class Leaderboard(TypedDict):
    """A track's rows, best first."""

    track: str
    sort: str
    reference: str | None
    rows: list[LeaderboardRow]


class Difference(TypedDict):
    """How far one submission is from another."""

    value: float
    ci95: tuple[float, float]
    p: float


class Participant(TypedDict):
    """Who a token belongs to."""

    name: str
    is_host: bool
    is_baseline: bool


class ProblemError(Exception):
    """The board refused; `str(error)` is its sentence.

    Attributes:
        status: The HTTP status.
        code: The stable name of the problem.
        details: The whole problem document.
    """

    def __init__(self, status: int, details: dict[str, Any]) -> None:
        super().__init__(details["detail"])
        self.status = status
        self.code: str = details["code"]
        self.details = details


class UnreachableError(Exception):
    """The board cannot be reached, or is not one."""


class Client:
    """One board, and who asks; use as a context manager.

    Every method raises `ProblemError` where the board refuses and `UnreachableError` where it
    does not answer.
    """

    def __init__(self, url: str, token: str | None) -> None:
        """Connect to the board at `url`, as the owner of `token` or as nobody."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        try:
            self._http = httpx.Client(
                base_url=f"{self.url}/api/v1", headers=headers, timeout=_TIMEOUT
            )
        except httpx.InvalidURL as error:
            raise self._unreachable(error) from error

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def whoami(self) -> Participant:
        """Return who the token belongs to."""
        participant: Participant = self._request("GET", "/whoami").json()
        return participant

    def submit(
        self, archive: Path, form: dict[str, str], arrived: Callable[[int], object]
    ) -> Submission:
        """Upload an archive, from where an earlier try ended, and over faults that pass.

        Args:
            archive: The file.
            form: `track`, `method` and what else there is to say.
            arrived: Is told how many bytes have arrived, again and again.
        """
        with archive.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            upload_id = self._begin_upload(size, form | {"sha256": sha256})
            self._send(file, size, f"/uploads/{upload_id}", arrived)
        return self._arrived(upload_id)

    def withdraw(self, submission_id: str) -> Submission:
        """Withdraw one of one's own submissions."""
        submission: Submission = self._request("DELETE", f"/submissions/{submission_id}").json()
        return submission

    def submission(self, submission_id: str) -> Submission:
        """Return one submission."""
        submission: Submission = self._request("GET", f"/submissions/{submission_id}").json()
        return submission

    def comparison(self, submission_id: str, other_id: str) -> dict[str, Difference]:
        """Return how far one scored submission is from another, by statistic."""
        path = f"/submissions/{submission_id}/comparison/{other_id}"
        differences: dict[str, Difference] = self._request("GET", path).json()
        return differences

    def submissions(self) -> Iterator[Submission]:
        """Yield all of one's own submissions, latest first."""
        page_token: str | None = ""
        while page_token is not None:
            params = {"page_size": "100"} | ({"page_token": page_token} if page_token else {})
            page = self._request("GET", "/submissions", params=params).json()
            yield from page["items"]
            page_token = page["next_page_token"]

    def leaderboard(self, track: str, sort: str) -> Leaderboard:
        """Return a track's leaderboard."""
        params = {"track": track, "sort": sort}
        board: Leaderboard = self._request("GET", "/leaderboard", params=params).json()
        return board

    def leaderboard_csv(self, track: str, sort: str) -> str:
        """Return a track's leaderboard as CSV."""
        params = {"track": track, "sort": sort, "format": "csv"}
        return self._request("GET", "/leaderboard", params=params).text

    def _begin_upload(self, size: int, fields: dict[str, str]) -> str:
        """Return the id of a new upload, or of the one of this archive that is under way."""
        metadata = ",".join(
            f"{name} {b64encode(text.encode()).decode()}" for name, text in fields.items()
        )
        headers = _TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata}
        try:
            answer = self._request("POST", "/uploads", headers=headers)
        except ProblemError as error:
            if error.code != "duplicate_archive":
                raise
            existing = self.submission(error.details["submission"])
            if existing["state"] != "uploading":
                raise
            if existing["method"] != fields["method"]:
                raise ProblemError(
                    error.status,
                    error.details
                    | {
                        "detail": f"An upload of this archive as {existing['method']!r} is under "
                        "way: go on with that method, or withdraw it first "
                        f"(cosmoboard withdraw {existing['id']})."
                    },
                ) from error
            return existing["id"]
        return str(answer.headers["Location"]).rpartition("/")[2]

    def _send(
        self, file: IO[bytes], size: int, path: str, arrived: Callable[[int], object]
    ) -> None:
        offset = self._offset(path)
        deadline = time.monotonic() + _PATIENCE
        while offset < size:
            headers = _TUS | {
                "Upload-Offset": str(offset),
                "Content-Length": str(size - offset),
                "Content-Type": "application/offset+octet-stream",
            }
            try:
                pieces = _pieces(file, offset, arrived)
                self._request("PATCH", path, content=pieces, headers=headers)
                offset = size
            except (UnreachableError, ProblemError) as error:
                if not _passes(error) or time.monotonic() > deadline:
                    raise
                time.sleep(1)
                before, offset = offset, self._offset_once_reachable(path, deadline)
                if offset > before:
                    deadline = time.monotonic() + _PATIENCE
        arrived(size)

    def _offset(self, path: str) -> int:
        return int(self._request("HEAD", path, headers=_TUS).headers["Upload-Offset"])

    def _offset_once_reachable(self, path: str, deadline: float) -> int:
        while True:
            try:
                return self._offset(path)
            except (UnreachableError, ProblemError) as error:
                if not _passes(error) or time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def _arrived(self, submission_id: str) -> Submission:
        """Return the submission once the board has looked into its archive."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            submission = self.submission(submission_id)
            if submission["state"] != "uploading" or time.monotonic() > deadline:
                return submission
            time.sleep(1)

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **arguments)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        if answer.is_success:
            return answer
        raise self._refusal(answer)

    def _unreachable(self, error: Exception) -> UnreachableError:
        return UnreachableError(
            f"The board at {self.url} cannot be reached ({error}): check the address "
            "(--url or COSMOBOARD_URL) and that it is running."
        )

    def _refusal(self, answer: httpx.Response) -> Exception:
        if answer.headers.get("content-type", "") == "application/problem+json":
            if answer.request.method == "HEAD":  # has no body to say more
                return ProblemError(answer.status_code, _without_body(answer))
            return ProblemError(answer.status_code, answer.json())
        return UnreachableError(
            f"What answers at {self.url} is not a board (HTTP {answer.status_code}): check the "
            "address (--url or COSMOBOARD_URL)."
        )


def _pieces(file: IO[bytes], offset: int, arrived: Callable[[int], object]) -> Iterator[bytes]:
    file.seek(offset)
    while piece := file.read(_PIECE_BYTES):
        yield piece
        offset += len(piece)
        arrived(offset)


def _passes(error: UnreachableError | ProblemError) -> bool:
    """Tell whether an upload may go on after this error, from the offset that the board tells."""
    return isinstance(error, UnreachableError) or (
        error.status >= 500
        or error.code in ("upload_locked", "upload_offset_mismatch", "upload_stalled")
    )


def _without_body(answer: httpx.Response) -> dict[str, Any]:
    return {"code": answer.reason_phrase, "detail": f"The board refused: {answer.reason_phrase}."}
