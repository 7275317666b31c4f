// The page to submit with: choose or drop a file, see what is in it, upload, follow to the result.

import { preflight } from "./preflight.js";
import { Refusal, Upload, keyOf, unfinished } from "./tus.js";

const $ = (id) => document.getElementById(id);
const form = $("submit-form");
const TEXTS = ["track", "method", "description", "url", "parameters", "training_compute", "extra_data"];

let file = null;
let sound = false; // whether the archive may be sent
let upload = null;

const size = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

function chosenTrack() {
  const option = $("track").selectedOptions[0];
  const { count, shape, limit } = option.dataset;
  return { name: option.value, count: Number(count), shape: shape.split(",").map(Number), limit: Number(limit) };
}

function said() {
  const entries = TEXTS.map((name) => [name, form.elements[name].value.trim()]);
  return Object.fromEntries(entries.filter(([, text]) => text));
}

function judge(kind, text) {
  $("verdict").hidden = false;
  $("verdict").className = `verdict ${kind}`;
  $("verdict").textContent = text;
}

function complain(text) {
  $("fault").hidden = !text;
  $("fault").textContent = text ?? "";
}

async function look() {
  sound = false;
  refresh();
  if (!file) return;
  const looked = file;
  judge("busy", "Looking into the archive …");
  try {
    const { count, dtype } = await preflight(file, chosenTrack());
    if (looked !== file) return;
    judge("good", `${count} fields${dtype ? ` of ${dtype}` : ""}: ready to submit. Values are checked while it is scored.`);
    sound = true;
  } catch (error) {
    if (looked === file) judge("bad", error.message);
  }
  refresh();
}

function choose(chosen) {
  if (!chosen || upload) return;
  file = chosen;
  $("file-name").textContent = file.name;
  $("file-size").textContent = size(file.size);
  const begun = Object.values(unfinished()).find((entry) => entry.file === file.name);
  if (begun && !form.elements.method.value) {
    for (const name of TEXTS) if (begun[name]) form.elements[name].value = begun[name];
  }
  look();
}

function tellWhatIsLeft() {
  const { left } = $("track").selectedOptions[0].dataset;
  const { dailyLimit } = form.dataset;
  $("left").textContent =
    left === "0"
      ? `All ${dailyLimit} submissions of today are used up on this track; the day ends at midnight UTC.`
      : `${left} of ${dailyLimit} submissions left today on this track`;
}

function refresh() {
  tellWhatIsLeft();
  const running = upload !== null && !upload.paused;
  const resumes = file && said().method && unfinished()[keyOf(file, said())];
  $("send").disabled = !sound || !said().method || running;
  $("send").textContent = resumes ? "Resume" : "Submit";
  $("pause").hidden = !running;
  $("give-up").hidden = upload === null;
  for (const field of [...form.elements]) {
    if (field.matches("input, select, textarea")) field.disabled = upload !== null;
  }
  $("dropzone").classList.toggle("busy", upload !== null);
  listUnfinished();
}

function listUnfinished() {
  const entries = Object.values(unfinished());
  $("unfinished").hidden = !entries.length || upload !== null;
  $("unfinished-list").replaceChildren(
    ...entries.map(({ file, method, track, url }) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = url.replace("/api/v1/uploads/", "/submissions/");
      link.textContent = method;
      item.append(link, ` on ${track}, from ${file}`);
      return item;
    }),
  );
}

async function submit(event) {
  event.preventDefault();
  if ($("send").disabled) return;
  complain(null);
  const form = said();
  let sent = null;
  let begun = null;
  upload ??= new Upload(file, form, (arrived) => {
    sent ??= arrived;
    begun ??= Date.now();
    const speed = (arrived - sent) / ((Date.now() - begun) / 1000);
    const left = speed > 0 ? ` · ${Math.ceil((file.size - arrived) / speed)} s left` : "";
    $("upload-progress").value = arrived / file.size;
    $("upload-text").textContent = `${size(arrived)} of ${size(file.size)}${arrived < file.size ? left : " · checking"}`;
  });
  $("upload").hidden = false;
  $("upload-text").textContent = "Starting …";
  const running = upload.run();
  refresh();
  try {
    const id = await running;
    if (id) {
      upload = null;
      return location.assign(`/submissions/${id}`);
    }
    $("upload-text").textContent += " · paused";
  } catch (error) {
    upload = null;
    explain(error);
  }
  refresh();
}

function explain(error) {
  $("upload").hidden = true;
  if (!(error instanceof Refusal)) {
    return complain("The service cannot be reached. What has arrived is kept: press Resume once it is back.");
  }
  complain(error.message);
  if (error.problem?.submission) {
    const link = document.createElement("a");
    link.href = `/submissions/${error.problem.submission}`;
    link.textContent = "Go there";
    $("fault").append(" ", link, ".");
  }
}

$("file").addEventListener("change", () => choose($("file").files[0]));
$("track").addEventListener("change", look);
form.addEventListener("input", refresh);
form.addEventListener("submit", submit);
$("pause").addEventListener("click", () => {
  upload.pause();
  refresh();
});
$("give-up").addEventListener("click", async () => {
  try {
    await upload.giveUp();
  } catch (error) {
    complain(error.message);
  }
  upload = null;
  $("upload").hidden = true;
  refresh();
});
for (const name of ["dragover", "dragenter"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    $("dropzone").classList.add("over");
  });
}
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("dropzone").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  $("dropzone").classList.remove("over");
  choose(event.dataTransfer.files[0]);
});
addEventListener("beforeunload", (event) => {
  if (upload && !upload.paused) event.preventDefault();
});

refresh();
if ($("file").files[0]) choose($("file").files[0]);
