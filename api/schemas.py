"""What the API says, as OpenAPI describes it."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from cubes.tracks import TRACKS

State = Literal["uploading", "queued", "running", "scored", "failed", "cancelled"]
"""Where a submission stands; the last three are final."""

Interval = Annotated[
    tuple[float, float], Field(description="95 % confidence interval: lower and upper end.")
]


def _known_track(name: str) -> str:
    if name not in TRACKS:
        raise ValueError(f"there is no track {name!r}; there are {', '.join(TRACKS)}")
    return name


TrackName = Annotated[
    str,
    AfterValidator(_known_track),
    WithJsonSchema({"type": "string", "enum": list(TRACKS), "title": "Track"}),
]
"""The name of a track."""


class Body(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(from_attributes=True)


class Fault(Body):
    """One part of a request that is not valid."""

    field: str
    message: str


class Problem(Body):
    """Problem details (RFC 9457)."""

    type: str = Field(description="Stable address of this kind of problem: `/problems/` + `code`.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, and what to do about it.")
    code: str = Field(description="Stable name of this kind of problem.")
    errors: list[Fault] | None = Field(
        default=None, description="The parts of the request at fault."
    )
    submission: UUID | None = Field(
        default=None, description="The submission that this one repeats."
    )
    submission_url: str | None = Field(default=None, description="Where to find that submission.")


class Progress(Body):
    """How many of the fields have been scored."""

    done: int
    total: int


class StatisticScore(Body):
    """The score of one summary statistic."""

    d2: float = Field(description="Squared Fréchet distance to the held-out fields.")
    score: float | None = Field(description="S* = 1 / d2; null where d2 is 0.")
    d2_jackknife: float | None = Field(
        description="d2 less the bias of small sets; may be negative."
    )
    ci95: Interval | None
    scatter_ratio: float | None = Field(
        description="Scatter of the submitted fields over that of real ones; far below 1 where "
        "a model always makes the same field."
    )


class Scores(Body):
    """The three scores."""

    psd: StatisticScore = Field(description="Power spectrum.")
    mass: StatisticScore = Field(description="Mass histogram.")
    peak: StatisticScore = Field(description="Peak histogram.")


class Copy(Body):
    """Evidence that a field is a copy: its original is about `roll(symmetry(field), shift)`."""

    field: int = Field(description="Index of the submitted field.")
    original: int = Field(description="Index of what it was copied from.")
    source: Literal["training", "submission", "held-out"] = Field(
        description="What that is one of: the training fields, or the submission's own."
    )
    kind: Literal["exact", "partial", "rearranged"] = Field(
        description="`exact`: the same values, moved; `partial`: altered, or only in part; "
        "`rearranged`: the same values, but unrelated in space."
    )
    symmetry: str = Field(description="Signed axes of the field that become those of the original.")
    shift: list[int] = Field(description="Periodic shift in voxels.")
    correlation: float = Field(description="Of the mapped fields once aligned, -1 to 1.")
    significance: float = Field(description="In standard deviations of chance.")


class CopySearch(Body):
    """What the search for copies has found; it changes no score."""

    checked_at: datetime
    reference: str = Field(description="Content hash of the reference whose training set it was.")
    copies: list[Copy]


class Submission(Body):
    """A submission: what it is, where it stands, and how it scored."""

    id: UUID
    track: str
    method: str
    participant: str
    state: State
    reason: str | None = Field(description="Stable code of why it failed or was cancelled.")
    message: str | None = Field(
        description="The same as a sentence, or why it is still waiting where that is unusual."
    )
    progress: Progress
    queue_position: int | None = Field(description="1 is next; null unless queued.")
    estimate_seconds: float | None = Field(
        description="About how long until it is scored; null if not known."
    )
    created_at: datetime
    scored_at: datetime | None
    attempt: int = Field(description="How many workers have taken it up.")
    sha256: str | None = Field(
        description="SHA-256 of the archive; null where it is not known before the upload's end."
    )
    reference: str | None = Field(
        description="Content hash of the held-out fields that it was scored against."
    )
    scorer_version: str | None
    scores: Scores | None = Field(description="null until it is scored.")
    overall: float | None = Field(description="Share of the attainable, 0 to 1.")
    overall_ci95: Interval | None
    copy_search: CopySearch | None = Field(
        description="Copies of training fields or of its own; null until it is searched for them."
    )


class Summary(Body):
    """The mean over a set's fields in each bin, and their standard deviation."""

    mean: list[float]
    std: list[float]


class StatisticDiagnosis(Body):
    """What the squared distance of one statistic is made of."""

    mean: float = Field(description="The part between the means; the rest is `covariance`.")
    covariance: float
    bins: list[float] = Field(description="The part of each bin; they add up to d2.")
    fields: list[float] | None = Field(description="By how much d2 falls without each field.")


class StatisticView(Body):
    """One statistic of a submission beside that of real fields."""

    x: list[float] = Field(description="The middle of each bin.")
    x_unit: str
    unit: str
    submission: Summary
    real: Summary
    diagnosis: StatisticDiagnosis | None = Field(description="null for sets of many fields.")


class Statistics(Body):
    """The statistics of a submission beside those of real fields."""

    submission: UUID
    against: Literal["training", "held-out"]
    fields: int
    real_fields: int
    psd: StatisticView
    mass: StatisticView
    peak: StatisticView


class SubmissionPage(Body):
    """Some of a participant's submissions, latest first."""

    items: list[Submission]
    next_page_token: str | None = Field(
        description="Give it as `page_token` to get what follows; null at the end."
    )


class LeaderboardRow(Body):
    """One line of the leaderboard."""

    rank: int | None = Field(description="Equal values share a rank; null for the real cubes.")
    submission: UUID | None = Field(description="null for the real cubes.")
    method: str
    participant: str | None = Field(description="null for the real cubes.")
    baseline: bool
    overall: float | None
    overall_ci95: Interval | None
    tied_with_leader: bool | None = Field(
        description="Whether the difference to the first row may be chance; null if not known."
    )
    scores: Scores


SortKey = Literal["overall", "psd", "mass", "peak"]
"""What a leaderboard is ranked by."""


class Difference(Body):
    """How far submission A is from submission B."""

    value: float = Field(description="A less B.")
    ci95: Interval
    p: float = Field(description="Two-sided p-value of no difference.")


class Comparison(Body):
    """Whether two submissions differ, by a jackknife over the held-out fields that they share."""

    psd: Difference = Field(description="Of d2 of the power spectrum, corrected for bias.")
    mass: Difference
    peak: Difference
    log_overall: Difference = Field(description="Of the natural logarithm of overall.")


class Leaderboard(Body):
    """A track's submissions, best first: the best of each participant and method."""

    track: str
    sort: SortKey
    reference: str | None = Field(description="Content hash of the held-out fields.")
    rows: list[LeaderboardRow]


class SnapshotRow(LeaderboardRow):
    """One line of a frozen leaderboard, with what it was made of."""

    archive_sha256: str | None
    scorer_version: str
    scored_at: datetime


class SnapshotDocument(Body):
    """A leaderboard as it stood when it was frozen."""

    track: str
    reference: str = Field(description="Content hash of the held-out fields.")
    reference_label: str
    scorer_version: str
    rows: list[SnapshotRow]


class SnapshotEntry(Body):
    """Where a frozen leaderboard is found."""

    sha256: str = Field(description="Of the JSON document; names it.")
    track: str
    created_at: datetime
    url: str


class Reference(Body):
    """The held-out fields that a track is scored against."""

    content_hash: str
    label: str = Field(description="Where the fields come from.")
    created_at: datetime
    scorer_version: str


class Track(Body):
    """What a track takes, and what it is scored against."""

    name: str
    ndim: int
    side: int = Field(description="Voxels along each side of a field.")
    count: int = Field(description="Fields in a submission.")
    shape: list[int] = Field(description="Shape of one field.")
    mean: float = Field(description="Mean density of real fields, in particles per voxel.")
    box_side: float = Field(description="Side of a field in Mpc/h.")
    max_archive_bytes: int
    daily_limit: int = Field(description="Submissions a day (UTC) and participant.")
    reference: Reference | None = Field(description="null while the track is not open.")


class Participant(Body):
    """Who a token belongs to."""

    name: str
    is_host: bool
    is_baseline: bool


class Health(Body):
    """Whether the service can do its work."""

    status: Literal["ok", "unavailable"]
    database: bool | None = None
    storage: bool | None = None
    broker: bool | None = Field(
        default=None, description="Submissions are accepted without it, and scored once it is back."
    )
