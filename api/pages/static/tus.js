// A resumable upload by tus 1.0.0: goes on after faults that pass, and after a reload of the page.

const URL_OF_UPLOADS = "/api/v1/uploads";
const PIECE_BYTES = 8 * 2 ** 20;
const KEPT = "cosmoboard-uploads"; // in the browser's storage: what was begun here
const PATIENCE = 120_000; // milliseconds without a byte more arriving

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `The service answered with status ${status}: try again later.`);
    this.status = status;
    this.code = problem?.code;
    this.problem = problem;
  }
}

const csrf = () => document.querySelector('meta[name="csrf-token"]').content;

async function send(method, url, headers = {}, body = undefined, signal = undefined) {
  const answer = await fetch(url, {
    method,
    headers: { "Tus-Resumable": "1.0.0", "X-CSRF-Token": csrf(), ...headers },
    body,
    signal,
  });
  if (answer.ok) return answer;
  const isProblem = answer.headers.get("content-type") === "application/problem+json";
  throw new Refusal(answer.status, isProblem ? await answer.json() : undefined);
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

// What was begun in this browser, by the key of its file and form.
export function unfinished() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function keep(key, entry) {
  const all = unfinished();
  if (entry) all[key] = entry;
  else delete all[key];
  localStorage.setItem(KEPT, JSON.stringify(all));
}

export const keyOf = (file, form) =>
  [file.name, file.size, file.lastModified, form.track, form.method].join("\n");

const passes = (error) =>
  !(error instanceof Refusal) || error.status >= 500 || [408, 409, 423].includes(error.status);

export class Upload {
  // `progress` is told how many bytes have arrived.
  constructor(file, form, progress) {
    this.file = file;
    this.form = form;
    this.progress = progress;
    this.key = keyOf(file, form);
    this.url = null;
    this.abort = null;
    this.paused = false;
  }

  get id() {
    return this.url.split("/").at(-1);
  }

  // Sends what is missing. Returns the submission's id, or null when it was paused.
  async run() {
    this.paused = false;
    let offset = await this.#find();
    let deadline = Date.now() + PATIENCE;
    this.progress(offset);
    while (offset < this.file.size && !this.paused) {
      try {
        offset = await this.#sendPiece(offset);
        deadline = Date.now() + PATIENCE;
      } catch (error) {
        if (this.paused) return null;
        if (!passes(error) || Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const before = offset;
        offset = await this.#offset().catch((fault) => {
          if (!passes(fault)) throw fault;
          return before;
        });
      }
      this.progress(offset);
    }
    if (this.paused) return null;
    keep(this.key, null);
    return this.id;
  }

  pause() {
    this.paused = true;
    this.abort?.abort();
  }

  async giveUp() {
    this.pause();
    if (this.url) await send("DELETE", this.url);
    keep(this.key, null);
  }

  // Finds the upload that was begun before, or begins one; returns how many bytes have arrived.
  async #find() {
    this.url = unfinished()[this.key]?.url ?? null;
    if (this.url) {
      try {
        return await this.#offset();
      } catch (error) {
        if (![404, 410].includes(error.status)) throw error;
        keep(this.key, null);
      }
    }
    const metadata = Object.entries(this.form).map(([name, text]) => `${name} ${base64(text)}`);
    const answer = await send("POST", URL_OF_UPLOADS, {
      "Upload-Length": String(this.file.size),
      "Upload-Metadata": metadata.join(","),
    });
    this.url = answer.headers.get("Location");
    keep(this.key, { url: this.url, file: this.file.name, ...this.form });
    return 0;
  }

  async #offset() {
    const answer = await send("HEAD", this.url);
    return Number(answer.headers.get("Upload-Offset"));
  }

  async #sendPiece(offset) {
    this.abort = new AbortController();
    const piece = this.file.slice(offset, offset + PIECE_BYTES);
    const headers = {
      "Content-Type": "application/offset+octet-stream",
      "Upload-Offset": String(offset),
    };
    const answer = await send("PATCH", this.url, headers, piece, this.abort.signal);
    return Number(answer.headers.get("Upload-Offset"));
  }
}
