// Follows a submission that is not done yet, and shows the result once it is.

const section = document.getElementById("state");
const bar = document.getElementById("progress");
const FINAL = new Set(["scored", "failed", "cancelled"]);

function describe(submission) {
  if (submission.state === "queued") return `Number ${submission.queue_position} in the queue.`;
  const { done, total } = submission.progress;
  return `${done} of ${total} fields scored.`;
}

async function follow() {
  try {
    const answer = await fetch(`/api/v1/submissions/${section.dataset.submission}`);
    if (answer.ok) {
      const submission = await answer.json();
      if (FINAL.has(submission.state)) return location.reload();
      document.getElementById("state-name").textContent = submission.state;
      document.getElementById("state-text").textContent = describe(submission);
      if (bar) bar.value = submission.progress.done;
    }
  } catch {
    // The service restarts or the network is away: ask again.
  }
  setTimeout(follow, 1000);
}

follow();
