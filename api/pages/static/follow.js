// Follows a submission that has not ended, and shows the result once it has.

const section = document.getElementById("state");
const text = document.getElementById("state-text");
const why = document.getElementById("state-why");
const bar = document.getElementById("progress");
const url = `/api/v1/submissions/${section.dataset.submission}`;
const shownAtFirst = section.querySelector("[aria-current]").textContent;

function about(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function describe({ state, progress, queue_position, estimate_seconds }) {
  const left = estimate_seconds === null ? "" : ` About ${about(estimate_seconds)} left.`;
  if (state === "queued") return `Number ${queue_position} in the queue.${left}`;
  return `${progress.done} of ${progress.total} fields scored.${left}`;
}

function show(submission) {
  text.textContent = describe(submission);
  why.textContent = submission.message ?? "";
  why.hidden = !submission.message;
  bar.value = submission.progress.done;
}

const STEPS = { uploading: "Uploading", queued: "Queued", running: "Scoring" };

async function follow() {
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    if (answer.status === 404) return;
    if (answer.ok) {
      const submission = await answer.json();
      if (STEPS[submission.state] !== shownAtFirst) return location.reload();
      if (submission.state !== "uploading") show(submission);
    }
  } catch {
    // The service restarts or the network is away: ask again.
  }
  setTimeout(follow, 1000);
}

follow();
