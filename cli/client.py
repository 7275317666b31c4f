"""A client of a board's HTTP interface."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypedDict

import httpx

_CHUNK_BYTES = 2**18
_TIMEOUT = httpx.Timeout(60, connect=10)


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
    created_at: str
    scored_at: str | None
    attempt: int
    sha256: str
    reference: str | None
    scorer_version: str | None
    scores: dict[str, StatisticScore] | None
    overall: float | None
    overall_ci95: tuple[float, float] | None


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
        self,
        archive: Path,
        form: dict[str, str],
        idempotency_key: str,
        sent: Callable[[int], object],
    ) -> Submission:
        """Upload an archive; `sent` is told the bytes of each piece that is on its way."""
        with archive.open("rb") as file:
            answer = self._request(
                "POST",
                "/submissions",
                data=form,
                files={"archive": (archive.name, _Watched(file, sent), "application/zip")},
                headers={"Idempotency-Key": idempotency_key},
            )
        submission: Submission = answer.json()
        return submission

    def submission(self, submission_id: str) -> Submission:
        """Return one submission."""
        submission: Submission = self._request("GET", f"/submissions/{submission_id}").json()
        return submission

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
            return ProblemError(answer.status_code, answer.json())
        return UnreachableError(
            f"What answers at {self.url} is not a board (HTTP {answer.status_code}): check the "
            "address (--url or COSMOBOARD_URL)."
        )


class _Watched:
    """A file to upload that tells how much of it was read."""

    def __init__(self, file: IO[bytes], read: Callable[[int], object]) -> None:
        self._file = file
        self._read = read

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(min(size, _CHUNK_BYTES) if size > 0 else _CHUNK_BYTES)
        self._read(len(piece))
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()
